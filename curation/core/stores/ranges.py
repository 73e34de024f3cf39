"""Reads a file of a store by ranges: the bytes that are asked for and no others, in as few requests as possible."""

import io
import os
from collections.abc import Callable

from curation.core.faults import status_of

Fetch = Callable[[int | None, int | None], bytes]
"""The bytes from a place (None: the start) up to another (None: the end); a negative place counts from the end, as in
`cat_file`."""
TAIL_BYTES = 2**18
"""Read at once from the end: the footer of a Parquet file, and all of a small one."""
_NOT_SATISFIABLE = 416
"""What a store answers where no byte of a range exists."""


class RangedFile(io.RawIOBase):
    """A file that is open for reading. `length` is asked for its bytes where the file is longer than the tail."""

    def __init__(self, fetch: Fetch, length: Callable[[], int]) -> None:
        """One request, or two."""
        super().__init__()
        self._fetch = fetch
        self._place = 0
        try:
            self._tail = fetch(-TAIL_BYTES, None)
        except OSError as error:
            if status_of(error.__cause__) != _NOT_SATISFIABLE:
                raise
            self._tail = fetch(None, None)  # of an empty file there is no range; rclone gives none of a short one
        self._size = len(self._tail) if len(self._tail) < TAIL_BYTES else length()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from the place."""
        start = self._place
        end = self._size if size < 0 else min(start + size, self._size)
        if end <= start:
            return b""
        self._place, before_tail = end, self._size - len(self._tail)
        if start < before_tail:
            return self._fetch(start, end)
        return self._tail[start - before_tail : end - before_tail]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place; returns it."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        """The place of the next byte."""
        return self._place

    def seekable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is."""
        return True


def is_there(fetch: Fetch) -> bool:
    """Whether there is a file, by its first byte: `exists` of s3fs lists the folder of that name too."""
    try:
        fetch(0, 1)
    except FileNotFoundError:
        return False
    except OSError as error:
        if status_of(error.__cause__) != _NOT_SATISFIABLE:  # it is empty
            raise
    return True
