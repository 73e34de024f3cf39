"""Writes Parquet files piece by piece, in bounded memory, and tells damaged ones from storage that fails."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import DataError


class TableWriter:
    """Parquet in row groups of equal size, whatever the pieces, hashed while written: no file is held in memory."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, row_group_size: int) -> None:
        self._sink = _Sink(file)
        self._size = row_group_size
        self._waiting = schema.empty_table()
        self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, mode="w"), schema, **encoding(schema))

    @property
    def bytes(self) -> int:
        """Length of the file so far; after `close` of the whole."""
        return self._sink.bytes

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the bytes so far; after `close` of the whole file."""
        return self._sink.hash.hexdigest()

    def add(self, table: pa.Table) -> None:
        """Append rows of the schema."""
        self._waiting = pa.concat_tables([self._waiting, table.replace_schema_metadata(self._waiting.schema.metadata)])
        whole = self._waiting.num_rows // self._size * self._size
        if whole:
            self._writer.write_table(self._waiting.slice(0, whole), row_group_size=self._size)
            self._waiting = self._waiting.slice(whole)

    def annotate(self, key: str, value: str) -> None:
        """Write a text into the footer, which is only known now that the rows are."""
        self._writer.add_key_value_metadata({key: value})

    def close(self) -> None:
        """Write the last rows and the footer."""
        if self._waiting.num_rows:
            self._writer.write_table(self._waiting)
        self._writer.close()

    def give_up(self) -> None:
        """Write nothing more: Arrow ends a file that is not closed when it is forgotten."""
        self._sink.dropped = True


class _Sink:
    """The file as Arrow sees it. It knows nothing of the writer: Python does not find circles through Arrow's C++, and
    each would hold the last rows of its file for ever.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.bytes = 0
        self.closed = self.dropped = False

    def write(self, data: Any) -> int:
        """Called for each piece of the file."""
        if self.dropped:
            return len(data)
        self.hash.update(data)
        self.bytes += self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered here."""


def encoding(schema: pa.Schema) -> dict[str, Any]:
    """Options of `pyarrow.parquet.write_table` for a schema: zstd, but for columns of audio."""
    packed = [leaf for field in schema for leaf in _leaves(field.name, field.type) if leaf[-5:] != "audio"]
    # Audio is FLAC already: compressing, indexing and comparing it again took a third of a build without models.
    return {
        "compression": dict.fromkeys(packed, "zstd"),
        "use_dictionary": packed,
        "write_statistics": packed,
    }


def _leaves(path: str, kind: pa.DataType) -> Iterator[str]:
    """Parquet paths of the plain columns that a column of this type is stored as."""
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    elif pa.types.is_map(kind):
        yield from _leaves(f"{path}.key_value.key", kind.key_type)
        yield from _leaves(f"{path}.key_value.value", kind.item_type)
    elif pa.types.is_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path


@contextmanager
def damage_named(path: str, remedy: str) -> Iterator[None]:
    """Turn Arrow's errors about a damaged Parquet file that the block reads into a DataError with the remedy."""
    try:
        yield
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        # Arrow reports damage as a plain OSError too; one with an errno, or of a subclass, comes from the storage.
        if isinstance(error, OSError) and (type(error) is not OSError or error.errno is not None):
            raise
        msg = f"{path} is damaged ({str(error).strip()}): {remedy}"
        raise DataError(msg) from error
