"""Looks for something in all bytes of a folder: of files as they are, and of what Parquet files have inside pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def found_in(root: Path, needles: list[bytes]) -> set[tuple[str, bytes]]:
    """Names of files with the needles that they have; hidden files count."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        (path.relative_to(root).as_posix(), needle)
        for path in files
        for content in contents(path)
        for needle in needles
        if needle in content
    }


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file; of Parquet also all values, dictionaries and statistics."""
    yield path.name.encode()
    yield path.read_bytes()
    if path.suffix == ".parquet":
        leaves = [pq.ParquetFile(path).schema.column(place) for place in range(pq.read_metadata(path).num_columns)]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and not leaf.max_repetition_level]
        for options in ({}, {"read_dictionary": texts}):
            for column in pq.ParquetFile(path, **options).read().columns:
                for chunk in column.chunks:
                    yield from _values(chunk)
        metadata = pq.read_metadata(path)
        for group in range(metadata.num_row_groups):
            for place in range(metadata.num_columns):
                said = metadata.row_group(group).column(place).statistics
                if said is not None and said.has_min_max:
                    yield from (_plain(said.min), _plain(said.max))


def _values(array: pa.Array) -> Iterator[bytes]:
    """The buffers of an array, which hold its texts, numbers and bytes one after the other."""
    if pa.types.is_dictionary(array.type):
        yield from _values(array.dictionary)
    yield from (buffer.to_pybytes() for buffer in array.buffers() if buffer is not None)


def _plain(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
