"""File systems in memory that do not answer while they are told so."""

from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class OutageFileSystem(MemoryFileSystem):
    """Files at `outage://`. The next `refusals` accesses fail; with a negative number, all of them."""

    protocol = "outage"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    refusals: ClassVar[int] = 0
    only: ClassVar[str] = ""
    """Of paths that contain it."""
    refused: ClassVar[int] = 0

    @classmethod
    def refuse(cls, number: int, only: str = "") -> None:
        cls.refusals, cls.only, cls.refused = number, only, 0

    @classmethod
    def access(cls, path: str) -> None:
        if cls.refusals and cls.only in path:
            cls.refusals -= 1
            cls.refused += 1
            raise ConnectionError("the store does not answer")  # noqa: EM101

    def info(self, path, **options):
        self.access(path)
        return super().info(path, **options)

    def ls(self, path, **options):
        self.access(path)
        return super().ls(path, **options)

    def exists(self, path, **options):
        self.access(path)
        return super().exists(path, **options)

    def pipe_file(self, path, value, mode="overwrite", **options):
        self.access(path)
        super().pipe_file(path, value, mode=mode, **options)

    def put_file(self, lpath, rpath, *arguments, **options):
        self.access(rpath)
        super().put_file(lpath, rpath, *arguments, **options)

    def cat_file(self, path, start=None, end=None, **options):
        self.access(path)
        return super().cat_file(path, start, end, **options)

    def _open(self, path, mode="rb", **options):
        self.access(path)
        file = super()._open(path, mode, **options)
        return Reader(file, self, path) if mode == "rb" else file


class OpenFile:
    """A file that was opened for reading; kinds of it misbehave."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Reader(OpenFile):
    """Its store may be away."""

    def __init__(self, file: Any, fs: OutageFileSystem, path: str) -> None:
        super().__init__(file)
        self._fs, self._path = fs, path

    def read(self, size=-1):
        self._fs.access(self._path)
        return self._file.read(size)


fsspec.register_implementation("outage", OutageFileSystem, clobber=True)
