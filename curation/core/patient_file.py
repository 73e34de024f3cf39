"""Reads a file whose store may be away for a moment: opened again at the same place, and read again.

A store that does not answer, or is too busy, raises StorageError, which ends a build. Where it answers, and the file
still cannot be read, the file is at fault, and its own error is raised.
"""

import os
import posixpath
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from curation.core.faults import is_busy, is_storage_fault, persistently, retried
from curation.core.stores.protocols import file_system

Result = TypeVar("Result")

DELAYS = (0.2, 1.0, 3.0)
"""Seconds between the tries at a file whose store answers."""


class PatientFile:
    """A file that is open for reading bytes. `open_file` opens its path or URL."""

    def __init__(self, path: str, open_file: Callable[[str], BinaryIO]) -> None:
        self._path, self._open = path, open_file
        self._file = self._patiently(lambda: open_file(path))
        self.name = getattr(self._file, "name", "<none>")
        """FFmpeg takes the format of a file without a header from it."""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        if not self._file.seekable():
            return self._file.read(size)
        place, is_first = self._file.tell(), True

        def again() -> bytes:
            nonlocal is_first
            if not is_first:
                self._file = self._open(self._path)
                self._file.seek(place)
            is_first = False
            return self._file.read(size)

        return self._patiently(again)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place; returns it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place of the next byte."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Whether `seek` works."""
        return self._file.seekable()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _patiently(self, action: Callable[[], Result]) -> Result:
        def tried() -> Result:
            return retried(
                action,
                DELAYS,
                lambda _: persistently(lambda: has_folder(self._path), self._path),
                lambda error: is_storage_fault(error) and not is_busy(error),
            )

        return persistently(tried, self._path, while_it=is_busy)


def has_folder(path: str) -> bool:
    """Whether the folder of a path or URL is there. Raises what the file system raises where it does not answer."""
    try:
        if "://" not in path:
            os.scandir(posixpath.dirname(path) or ".").close()
            return True
        fs, name = file_system(path)
        return bool(fs.exists(posixpath.dirname(name)))
    except Exception as error:
        if is_storage_fault(error):
            raise
        return not isinstance(error, FileNotFoundError)
