"""Says of an error of a file system which file cannot be written, and what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from curation.core.errors import StorageError, UserError

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "choose a file system that takes larger files",
    errno.EROFS: "choose an output that can be written",
    errno.EACCES: "choose an output that you may write",
    errno.EPERM: "choose an output that you may write",
}


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn the errors of a file system into a StorageError that names the file and the remedy."""
    try:
        yield
    except OSError as error:
        if isinstance(error, UserError):
            raise
        remedy = _REMEDIES.get(error.errno or 0, "see to it")
        msg = f"{path} cannot be written ({error.strerror or error}): {remedy}, and run it again"
        raise StorageError(msg) from error


@dataclass(frozen=True)
class NamedFile:
    """A file whose errors name it."""

    file: Any
    path: str

    def write(self, data: Any) -> int:
        """Write bytes."""
        with writing(self.path):
            return int(self.file.write(data))
