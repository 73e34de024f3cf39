"""A file system in memory on which the process dies at a chosen write or removal, and stays dead until revived."""

from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

UNCOUNTED = ("lock.json", "/runs/")
"""Heartbeats depend on the clock."""


class Killed(BaseException):
    """The process ends here."""


class KillingFileSystem(MemoryFileSystem):
    """Files at `killing://`."""

    protocol = "killing"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    steps: ClassVar[list[str]] = []
    """Writes and removals since the last `arm`."""
    fatal: ClassVar[int | None] = None
    """Number of the step that kills, before it has an effect."""

    @classmethod
    def arm(cls, fatal: int | None) -> None:
        cls.steps.clear()
        cls.fatal = fatal

    def _step(self, path: str) -> None:
        if any(part in path for part in UNCOUNTED):
            if self.fatal is not None and len(self.steps) > self.fatal:
                raise Killed
            return
        self.steps.append(path)
        if self.fatal is not None and len(self.steps) > self.fatal:
            raise Killed

    def pipe_file(self, path, value, mode="overwrite", **options):
        self._step(path)
        super().pipe_file(path, value, mode=mode, **options)

    def put_file(self, lpath, rpath, *arguments, **options):
        self._step(rpath)
        super().put_file(lpath, rpath, *arguments, **options)

    def rm_file(self, path):
        self._step(path)
        super().rm_file(path)

    def rm(self, path, **_):
        """Object stores remove the files of a folder one by one."""
        for name in self.find(path):
            self.rm_file(name)


fsspec.register_implementation("killing", KillingFileSystem, clobber=True)
