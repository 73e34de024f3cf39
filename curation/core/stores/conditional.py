"""Writes that a store makes only where a file is still as it was read: nobody's change is overwritten unseen.

S3 and the stores that speak its language compare the ETag (`If-Match`, `If-None-Match`) in the same step as they
write. fsspec gives no such write for the others.
"""

import errno
from dataclasses import dataclass
from typing import Any

import fsspec

from curation.core.faults import status_of
from curation.core.stores.protocols import speaks_s3


class ChangedError(Exception):
    """A file is not of the version that was to be replaced."""


@dataclass(frozen=True)
class ConditionalPuts:
    """The conditional writes of a file system; paths are in its form."""

    fs: Any

    @classmethod
    def of(cls, fs: fsspec.AbstractFileSystem) -> "ConditionalPuts | None":
        """None where there are none."""
        return cls(fs) if speaks_s3(fs) else None

    def read(self, path: str) -> tuple[bytes, str]:
        """The content and its version. FileNotFoundError if it is not there."""
        version = self.fs.info(path)["ETag"]  # before the content: a change in between is found by the next write
        return self.fs.cat_file(path), version

    def write(self, path: str, content: bytes, version: str | None) -> str:
        """Write where the file has this version (None: where it is not there). Returns the new version.

        Raises ChangedError where it has another one. A store that ignores conditions writes anyway.
        """
        condition = {"mode": "create"} if version is None else {"IfMatch": version}
        try:
            return str(self.fs.pipe_file(path, content, **condition)["ETag"])
        except FileNotFoundError as error:
            if version is None:  # the bucket is not there
                raise
            raise ChangedError from error
        except OSError as error:
            if isinstance(error, FileExistsError) or status_of(error.__cause__) == 412:
                raise ChangedError from error
            if error.errno != errno.ENOSYS:
                raise
        return str(self.fs.pipe_file(path, content)["ETag"])
