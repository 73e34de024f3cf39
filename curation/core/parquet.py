"""Writes Parquet files piece by piece, in bounded memory."""

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


class TableWriter:
    """Parquet in row groups of equal size, whatever the pieces, hashed while written: no file is held in memory."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, row_group_size: int) -> None:
        self._file = file
        self._size = row_group_size
        self._waiting = schema.empty_table()
        self._hash = hashlib.sha256()
        self.closed = False
        self.bytes = 0
        """Length of the file; after `close` of the whole."""
        self._writer = pq.ParquetWriter(pa.PythonFile(self, mode="w"), schema, **encoding(schema))

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the bytes so far; after `close` of the whole file."""
        return self._hash.hexdigest()

    def add(self, table: pa.Table) -> None:
        """Append rows of the schema."""
        self._waiting = pa.concat_tables([self._waiting, table.replace_schema_metadata(self._waiting.schema.metadata)])
        whole = self._waiting.num_rows // self._size * self._size
        if whole:
            self._writer.write_table(self._waiting.slice(0, whole), row_group_size=self._size)
            self._waiting = self._waiting.slice(whole)

    def close(self) -> None:
        """Write the last rows and the footer."""
        if self._waiting.num_rows:
            self._writer.write_table(self._waiting)
        self._writer.close()

    def write(self, data: Any) -> int:
        """Called by Arrow for each piece of the file."""
        self._hash.update(data)
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
