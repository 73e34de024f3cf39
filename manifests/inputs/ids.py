"""Ids of recordings, which stay when a corpus moves and yet differ for `build s1 s2` where both hold 001.wav.

An id is made of the path below a root: the folder that an input names, or the folder of a manifest. The first root has
no name; where there are several, each has as much of its own path as tells it from the others, and ids take it in.
"""

import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from curation.core.storage import Storage

FILE = "plan/roots.json"
REMEDY = "restore it from a copy: without it, recordings that are known would be taken for new ones"


def make_id(path: str, root: str = "") -> str:
    """A readable identifier for a path in a root of that name: the letters, digits and dashes of the file's name, and
    128 bits of a digest in hexadecimal.
    """
    stem = posixpath.splitext(posixpath.basename(path))[0]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:48].strip("-") or "recording"
    whole = f"{root}\0{path}" if root else path
    return f"{readable}-{hashlib.blake2b(whole.encode('utf-8', 'surrogateescape'), digest_size=16).hexdigest()}"


@dataclass(slots=True)
class Roots:
    """The folders that ids are relative to, each with its name; they are kept with the build."""

    names: dict[str, str] = field(default_factory=dict)
    """By path or URL."""
    moved: dict[str, str] = field(default_factory=dict)
    """Roots that `add` took for earlier ones, which are gone: those by path or URL."""

    def add(self, folders: Iterable[str], exists: Callable[[str], bool] = lambda _: True) -> None:
        """Name further folders. One that lies in another root has none of its own; one whose root of the same name is
        gone, as `exists` says, is taken to be that root, which was moved.
        """
        new: dict[str, None] = {}
        for folder in sorted(set(folders), key=lambda path: (path.count("/"), path)):
            if any(parent in self.names or parent in new for parent in _and_parents(folder)):
                continue
            moved = self._moved(folder, exists)
            if moved is not None:
                self.names[folder] = self.names[moved]
                self.moved[folder] = moved
            else:
                new[folder] = None
        if not self.names and len(new) == 1:
            self.names[next(iter(new))] = ""
            return
        self.names |= _short_names(list(new), set(self.names.values()))

    def id_of(self, path: str, written: str = "", folder: str = "") -> str:
        """The id of a recording. Outside of all roots it is made of the path as it is `written` in a manifest of that
        folder.
        """
        root = self._root_of(posixpath.dirname(path))
        if root is not None:
            return make_id(path.removeprefix(root).lstrip("/"), self.names[root])
        return make_id(written or path, self.names.get(self._root_of(folder) or "", ""))

    def same_place(self, path: str, other: str) -> bool:
        """Whether two paths are the same recording of a root that was moved."""
        return path == other or self.id_of(path) == self.id_of(other)

    def _root_of(self, folder: str) -> str | None:
        return next((parent for parent in _and_parents(folder) if parent in self.names), None)

    def _moved(self, folder: str, exists: Callable[[str], bool]) -> str | None:
        name = posixpath.basename(folder)
        twins = [root for root in self.names if posixpath.basename(root) == name]
        return next((root for root in twins if not exists(root)), None)


def read_roots(out: Storage) -> Roots:
    """The roots of a build; none before its first. Raises DataError where the record is damaged."""
    return Roots(out.read_record(FILE, dict, REMEDY)) if out.exists(FILE) else Roots()


def write_roots(out: Storage, roots: Roots) -> None:
    """Keep the roots with the build."""
    out.write_json(FILE, roots.names)


def _and_parents(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        parent = posixpath.dirname(folder.rstrip("/"))
        folder = "" if parent == folder else parent


def _short_names(folders: list[str], taken: set[str]) -> dict[str, str]:
    """For each folder its last part, or as many of its last parts as no other folder and no taken name has."""
    parts = {folder: [part for part in folder.split("/") if part] or ["/"] for folder in folders}
    size = dict.fromkeys(folders, 1)
    while True:
        names = {folder: "/".join(parts[folder][-size[folder] :]) for folder in folders}
        count = Counter(names.values())
        clashing = [folder for folder in folders if count[names[folder]] > 1 or names[folder] in taken]
        growing = [folder for folder in clashing if size[folder] < len(parts[folder])]
        if not growing:
            # What still clashes has no more parts, such as s3://a/b beside gs://a/b: its whole URL tells it apart.
            return names | {folder: folder for folder in clashing}
        for folder in growing:
            size[folder] += 1
