"""A folder of this machine that appears when all of it is written, with the SHA-256 of every file.

    with Folder.appearing(Path("out")) as folder:
        folder.write("text", b"...")
        folder.finish({"format": "kaldi"})

It is written beside its place, as `.out.partial`, and renamed; what a killed export left there is removed by the next.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from curation.core.errors import ConfigError, LockError
from curation.core.stores.naming import writing
from curation.manifests.inputs.spill import SortedOnDisk

INDEX = "export.json"
"""Written last: it says what was exported, and has the SHA-256 of every other file."""
FILES = '  "files": {\n'
"""The line of the index that the files follow, each in a line of its own."""
ID_MAP = "id_map.jsonl"
_NAME = re.compile(r"(?!\.\.?(/|$))[A-Za-z0-9_.-]+(/(?!\.\.?(/|$))[A-Za-z0-9_.-]+)*")


class Folder:
    """See the module. Names are relative, of ASCII letters, digits, `_`, `-` and dots; ValueError for any other."""

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self.target = target
        """Where it will be."""
        self._files: SortedOnDisk[tuple[str, str, int]] = SortedOnDisk(itemgetter(0), lambda item: item, tuple)
        self._ids = hashlib.sha256()
        self._map: BinaryIO | None = None

    @classmethod
    @contextmanager
    def appearing(cls, target: Path) -> Iterator[Self]:
        """A folder that takes its place when the block succeeds. Raises ConfigError where there is anything but an
        earlier export as it was written, LockError where another export writes it.
        """
        target = Path(os.path.abspath(target))  # noqa: PTH100 - Path.resolve would follow links
        _check(target)
        partial = target.with_name(f".{target.name}.partial")
        with writing(str(partial)):
            partial.mkdir(parents=True, exist_ok=True)
        with _alone(partial):
            for left in partial.iterdir():
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            folder = cls(partial, target)
            try:
                yield folder
                _check(target)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            finally:
                if folder._map is not None:
                    folder._map.close()
            _switch(partial, target)  # after it `partial` may be another export's

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""
        with self.open(name) as file:
            file.write(content)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file to write from its beginning to its end."""
        if not _NAME.fullmatch(name):
            msg = f"{name!r} is no name of a file of an export"
            raise ValueError(msg)
        path = self._path / name
        with writing(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                hashed = _Hashed(file)
                yield cast("BinaryIO", hashed)
        self._files.add((name, hashed.sha256.hexdigest(), hashed.size))

    @contextmanager
    def by_program(self) -> Iterator[str]:
        """The place of the folder, for another program that writes more files into it."""
        before = {name for name, *_ in self.files()}
        yield str(self._path)
        for path in sorted(self._path.rglob("*")):
            name = path.relative_to(self._path).as_posix()
            if path.is_file() and name not in before and name != ID_MAP:
                self._files.add((name, _sha256(path), path.stat().st_size))

    def renamed(self, **names: str) -> None:
        """Keep in `id_map.jsonl` what an utterance is called here and in the corpus."""
        if self._map is None:
            self._map = (self._path / ID_MAP).open("wb")
        self._map.write(json_line(names))

    def files(self) -> Iterator[tuple[str, str, int]]:
        """Name, SHA-256 and bytes of each file so far, sorted by name."""
        yield from self._files

    def finish(self, about: Mapping[str, Any]) -> None:
        """Write the index, with the files beside `about`: the last file."""
        if self._map is not None:
            self._map.close()
            path = self._path / ID_MAP
            self._files.add((ID_MAP, _sha256(path), path.stat().st_size))
        with (self._path / INDEX).open("w", encoding="utf-8") as file:
            head = json.dumps(dict(about), indent=2, sort_keys=True, ensure_ascii=False)
            file.write(head.removesuffix("\n}") + f",\n{FILES}".removesuffix("\n"))
            for number, (name, sha256, size) in enumerate(self.files()):
                file.write(f"{',' * bool(number)}\n    {json.dumps(name)}: {json.dumps([sha256, size])}")
            file.write("\n  }\n}\n")
            file.flush()
            os.fsync(file.fileno())


class _Hashed:
    """A file that is hashed while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        self.size += len(content)
        return self._file.write(content)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Python's file does it when it is closed."""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_line(values: Any) -> bytes:
    """A line of JSON, as people read it; half a character, which no UTF-8 holds, is escaped."""
    text = json.dumps(values, ensure_ascii=False)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(values)}\n".encode()


def _check(target: Path) -> None:
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir() or (any(target.iterdir()) and not _is_export(target)):
        msg = f"{target} holds something that is not an export: give another folder, or move that away"
        raise ConfigError(msg)


def _is_export(folder: Path) -> bool:
    """Whether a folder holds the files of its index, and nothing that somebody put beside them."""
    try:
        with (folder / INDEX).open(encoding="utf-8") as file:
            if not any(line == FILES for line in file):
                return False
            lines = (line.strip().removesuffix(",") for line in file if line.startswith("    "))
            names: Iterator[str] = (name for line in lines for name in json.loads(f"{{{line}}}"))
            ours = 1 + sum((folder / name).is_file() for name in names)
    except (OSError, ValueError):
        return False
    return ours == sum(len(files) for _, _, files in os.walk(folder))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder; the lock ends with the process, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        msg = f"another export writes {folder}: wait for it, or give another folder"
        raise LockError(msg) from error
    finally:
        os.close(descriptor)


def _switch(partial: Path, target: Path) -> None:
    """Put the new export in the place of an earlier one, which is removed after that."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
