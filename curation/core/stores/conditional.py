"""Writes that a store makes only where a file is still as it was read: nobody's change is overwritten unseen.

S3 and the stores that speak its language compare the ETag (`If-Match`, `If-None-Match`) in the same step as they
write, and so does Azure; Google Cloud Storage compares the generation (`ifGenerationMatch`). The others give no such
write.
"""

import errno
import json
from dataclasses import dataclass
from typing import Any, Protocol

import fsspec
from fsspec.asyn import sync

from curation.core.faults import status_of
from curation.core.stores.protocols import speaks_azure, speaks_gcs, speaks_s3

_BOUNDARY = "==curation=="
_MULTIPART = (
    b"--==curation==\nContent-Type: application/json; charset=UTF-8\n\n%b\n"
    b"--==curation==\nContent-Type: application/octet-stream\n\n%b\n--==curation==--"
)
"""An object's description and its content."""


class ChangedError(Exception):
    """A file is not of the version that was to be replaced."""


class ConditionalPuts(Protocol):
    """The conditional writes of a file system; paths are in its form."""

    def read(self, path: str) -> tuple[bytes, str]:
        """The content and its version. FileNotFoundError if it is not there."""
        ...

    def write(self, path: str, content: bytes, version: str | None) -> str:
        """Write where the file has this version (None: where it is not there). Returns the new version.

        Raises ChangedError where it has another one. A store that ignores conditions writes anyway.
        """
        ...


def conditional_puts(fs: fsspec.AbstractFileSystem) -> ConditionalPuts | None:
    """Those of a file system; None where there are none."""
    if speaks_s3(fs):
        return _S3Puts(fs)
    if speaks_gcs(fs):
        return _GcsPuts(fs)
    return _AzurePuts(fs) if speaks_azure(fs) else None


@dataclass(frozen=True)
class _S3Puts:
    fs: Any

    def read(self, path: str) -> tuple[bytes, str]:
        version = self.fs.info(path)["ETag"]  # before the content: a change in between is found by the next write
        return self.fs.cat_file(path), version

    def write(self, path: str, content: bytes, version: str | None) -> str:
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


@dataclass(frozen=True)
class _GcsPuts:
    fs: Any

    def read(self, path: str) -> tuple[bytes, str]:
        self.fs.invalidate_cache(path)
        version = self.fs.info(path)["generation"]  # before the content, as on S3
        return self.fs.cat_file(path), str(version)

    def write(self, path: str, content: bytes, version: str | None) -> str:
        """What gcsfs sends for a small object, with the condition; gcsfs has one for new objects only."""
        bucket, key, _ = self.fs.split_path(path)
        named = json.dumps({"name": key}).encode()
        try:
            stored = self.fs.call(
                "POST",
                f"{self.fs._location}/upload/storage/v1/b/{bucket}/o",  # noqa: SLF001 - gcsfs names no other way to it
                uploadType="multipart",
                ifGenerationMatch=version or "0",
                headers={"Content-Type": f'multipart/related; boundary="{_BOUNDARY}"'},
                data=_MULTIPART % (named, content),
                json_out=True,
            )
        except FileExistsError as error:  # another generation
            raise ChangedError from error
        return str(stored["generation"])


@dataclass(frozen=True)
class _AzurePuts:
    fs: Any

    def read(self, path: str) -> tuple[bytes, str]:
        self.fs.invalidate_cache()
        version = self.fs.info(path)["etag"]  # before the content, as on S3
        return self.fs.cat_file(path), str(version)

    def write(self, path: str, content: bytes, version: str | None) -> str:
        """What adlfs sends, with the condition; adlfs has one for new blobs only."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

        container, blob, _ = self.fs.split_path(path)
        same = {} if version is None else {"etag": version, "match_condition": MatchConditions.IfNotModified}

        async def put() -> Any:
            async with self.fs.service_client.get_blob_client(container, blob) as client:
                return await client.upload_blob(content, overwrite=version is not None, **same)

        try:
            return str(sync(self.fs.loop, put)["etag"])
        except (ResourceExistsError, ResourceModifiedError):
            raise ChangedError from None  # for what is there already Azure's status is that of a conflict that passes
