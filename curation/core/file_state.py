"""Tells one content of a file from another under the same path: size, and ETag or time of change."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from curation.core.errors import StorageError, UserError
from curation.core.faults import persistently
from curation.core.stores.protocols import file_system

TAGS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5")
TIMES = ("mtime", "LastModified", "last_modified", "updated", "Last-Modified", "modified", "created")
"""What the file systems of fsspec call them, the best first."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file is now."""

    size: int = 0
    """Bytes; 0 where the file system does not say."""
    version: str = ""
    """Equal for equal content; empty where the file system does not say enough."""

    @classmethod
    def of_info(cls, info: Mapping[str, Any]) -> Self:
        """From fsspec's `info`, or an item of its listing."""
        size = int(info.get("size") or 0)
        tag = next((info[name] for name in TAGS if info.get(name)), None)
        if tag is not None:
            return cls(size, str(tag).strip('"'))
        time = next((info[name] for name in TIMES if info.get(name)), None)
        return cls(size, "" if time is None else f"{size} bytes of {time}")

    @classmethod
    def of_stat(cls, stat: os.stat_result) -> Self:
        """Of a file of this machine, links followed."""
        return cls(stat.st_size, f"{stat.st_size} bytes of {stat.st_mtime_ns}")

    @classmethod
    def at(cls, path: str) -> Self:
        """Of a path or URL as it is now; empty where that cannot be found out: opening the file will say why.

        Raises StorageError where its store does not answer.
        """
        try:
            return persistently(lambda: cls._at(path), path)
        except StorageError:
            raise
        except (OSError, ValueError, NotImplementedError, UserError):
            return cls()

    @classmethod
    def _at(cls, path: str) -> Self:
        if "://" not in path:
            return cls.of_stat(os.stat(path))  # noqa: PTH116 - a Path would normalise the name
        fs, name = file_system(path)
        return cls.of_info(fs.info(name))


def is_other_content(before: str, now: str) -> bool:
    """Whether two versions of a path are different for certain: a file that only has another time may be a copy."""
    if not before or not now:
        return False
    size, _, time = before.partition(" bytes of ")
    same_size = bool(time) and now.startswith(f"{size} bytes of ")
    return before != now and not same_size
