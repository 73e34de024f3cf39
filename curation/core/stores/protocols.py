"""Opens the store of a path or URL, and says which stores may hold a build.

The files of a build appear whole or not at all. Local folders do that by rename, object stores by their put. In
fsspec, hdfs, webhdfs, ftp, sftp, smb and others write in place, and not all of them can replace a file by a rename:
they are read, and refused as an output.
"""

from typing import Any, cast

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

from curation.core.errors import ConfigError
from curation.core.faults import persistently
from curation.core.stores.embedded import PROTOCOL, EmbeddedFileSystem

fsspec.register_implementation(PROTOCOL, EmbeddedFileSystem, clobber=True)

WHOLE = frozenset({"file", "local", "s3", "s3a", "gs", "gcs", "az", "abfs", "memory"})
"""Protocols whose files appear whole."""
PART_BYTES, PARTS_AT_ONCE = 2**24, 4
MAX_PARTS = 10_000
"""Of one object of S3."""
_PACKAGES = {"s3": "'curation[s3]'", "s3a": "'curation[s3]'", "gs": "'curation[gs]'", "gcs": "'curation[gs]'"}
_PACKAGES |= {"az": "'curation[az]'", "abfs": "'curation[az]'"}


def file_system(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path or URL, and the path in it.

    Raises ConfigError for a protocol that is unknown, or whose package is not installed.
    """
    protocol = protocol_of(url)
    # A listing that s3fs remembers hides what other processes write.
    options = {"use_listings_cache": False} if protocol in {"s3", "s3a"} else {}
    try:
        return cast("tuple[fsspec.AbstractFileSystem, str]", fsspec.core.url_to_fs(url, **options))
    except ImportError as error:
        remedy = f" (pip install {_PACKAGES[protocol]})" if protocol in _PACKAGES else ""
        msg = f"{url}: {error}{remedy}"
        raise ConfigError(msg) from error
    except ValueError as error:
        msg = f"{url}: {error}"
        raise ConfigError(msg) from error


class PatientFileSystem:
    """A file system whose every call is tried again while its store is at fault. Raises StorageError after that."""

    def __init__(self, fs: fsspec.AbstractFileSystem, where: str) -> None:
        self._fs, self._where = fs, where

    def __getattr__(self, name: str) -> Any:
        """The same of the file system."""
        call = getattr(self._fs, name)
        if not callable(call):
            return call
        return lambda *arguments, **options: persistently(lambda: call(*arguments, **options), self._where)


def protocol_of(url: str) -> str:
    """The protocol of a URL, of a chain of them the outer one; `file` for a path."""
    return url.partition("::")[0].partition("://")[0].lower() if "://" in url else "file"


def in_parts(fs: fsspec.AbstractFileSystem, size: int) -> dict[str, int]:
    """Options of a write that bound the memory that it takes: S3 gets a large file in parts, a few at once."""
    if not speaks_s3(fs):
        return {}
    return {"chunksize": max(PART_BYTES, -(-size // MAX_PARTS)), "max_concurrency": PARTS_AT_ONCE}


def speaks_s3(fs: fsspec.AbstractFileSystem) -> bool:
    """Whether a file system is s3fs's."""
    return _speaks(fs, "s3")


def speaks_gcs(fs: fsspec.AbstractFileSystem) -> bool:
    """Whether a file system is gcsfs's."""
    return _speaks(fs, "gs")


def speaks_azure(fs: fsspec.AbstractFileSystem) -> bool:
    """Whether a file system is adlfs's."""
    return _speaks(fs, "abfs")


def _speaks(fs: fsspec.AbstractFileSystem, protocol: str) -> bool:
    return protocol in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def promise_of(url: str) -> str:
    """What a store that may hold a build can do, in words."""
    protocol = protocol_of(url)
    if protocol in {"file", "local"}:
        return "files appear whole; the kernel keeps its lock"
    file_system(url)  # its package is there
    if protocol in {"s3", "s3a", "gs", "gcs", "az", "abfs"}:
        return "files appear whole; conditional writes keep its lock, which the build tries out"
    return "files appear whole; nothing makes its lock exact: start one build at a time"


def check_output(url: str) -> None:
    """Raise ConfigError, which says what works, for a store that cannot hold a build."""
    protocol = protocol_of(url)
    known = fsspec.registry.get(protocol)
    if protocol in WHOLE or (known is not None and issubclass(known, MemoryFileSystem)):
        return
    if protocol not in fsspec.available_protocols():
        msg = f"{url}: Protocol not known: {protocol}"
        raise ConfigError(msg)
    msg = (
        f"{url}: a build cannot be written over {protocol}://, where half a file can be seen: give a folder of this "
        f"machine (a mounted one too), s3://, gs:// or az://. Inputs may be read over {protocol}://"
    )
    raise ConfigError(msg)
