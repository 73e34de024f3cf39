"""Files that are values of a Parquet table, as data sets of Hugging Face hold audio: `parquet://audio/0/17::FILE`.

That is row 17 of row group 0 of FILE, in the column `audio`, whose values are bytes, or have a field `bytes`. Each file
system reads a row group at once and keeps it until another one is wanted; a build opens one for each recording.
"""

import io
import threading
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.archive import AbstractArchiveFileSystem

PROTOCOL = "parquet"


class EmbeddedFileSystem(AbstractArchiveFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Reads such files. FileNotFoundError for a place that is not there."""

    protocol = PROTOCOL
    root_marker = ""
    cachable = False
    """Instances: each would keep a row group for ever."""

    def __init__(self, fo: str = "", target_protocol: str = "", target_options: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._target = fsspec.filesystem(target_protocol or "file", **(target_options or {}))
        self._file = fo
        self._lock = threading.Lock()
        self._kept: tuple[Any, list[bytes | None]] = (None, [])

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Size and kind."""
        return {"name": path, "size": len(self._content(path)), "type": "file"}

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        if mode != "rb":
            raise PermissionError(mode)
        return io.BytesIO(self._content(path))

    def _content(self, path: str) -> bytes:
        try:
            column, group, row = self._strip_protocol(path).split("/")
            with self._lock:
                if self._kept[0] != (column, group):
                    self._kept = ((column, group), self._values(column, int(group)))
                content = self._kept[1][int(row)] if int(row) >= 0 else None
        except (ValueError, IndexError, KeyError) as error:
            raise FileNotFoundError(path) from error
        if content is None:
            raise FileNotFoundError(path)
        return content

    def _values(self, column: str, group: int) -> list[bytes | None]:
        with self._target.open(self._file, "rb") as file:
            table = pq.ParquetFile(pa.PythonFile(file, mode="r"))
            if not 0 <= group < table.num_row_groups:
                raise IndexError(group)
            values = table.read_row_group(group, columns=[column])[column].combine_chunks()
        if pa.types.is_struct(values.type):
            values = values.field("bytes")
        found: list[bytes | None] = values.to_pylist()
        return found
