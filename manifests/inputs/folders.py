"""Finds the recordings in a folder or below a pattern, one after the other, and counts what is left out.

Links are followed. Hidden names, and files without audio, are left out.
"""

import glob
import os
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from curation.audio.formats import MEDIA_SUFFIXES, OTHER_SUFFIXES, holds_audio, suffix
from curation.core.file_state import FileState
from curation.manifests.inputs.skipped import ByReason, skip
from curation.manifests.inputs.tables import is_manifest

HIDDEN = "hidden names (.x, __MACOSX, ...)"
BROKEN = "broken links"
KNOWN = "links to what is listed anyway"
SPECIAL = "neither files nor folders"
UNREADABLE = "folders that cannot be read"
MANIFEST = "manifests in folders (name them to read them)"
FOLDER = "folders that a pattern matches (name them, or use **)"
NO_MEDIA = "no audio or video, by their suffix"
NO_AUDIO = "no audio found in them"
_SYSTEM = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
_WILDCARDS = "*?["

Found = tuple[str, FileState]
"""Path of a file, in the form of its file system, and what it is."""


def is_local(fs: Any) -> bool:
    """Whether a file system is this machine's."""
    return isinstance(fs, LocalFileSystem)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's."""
    return name.startswith(".") or name in _SYSTEM


def has_wildcards(path: str) -> bool:
    """Whether a path can be a pattern."""
    return any(mark in path for mark in _WILDCARDS)


def recordings_in(fs: Any, folder: str, skipped: ByReason) -> Iterator[Found]:
    """The recordings in a folder and the folders below it, in no particular order. OSError where it cannot be read."""
    files = _LocalFolder(folder, skipped).files() if is_local(fs) else _remote_files(fs, folder, skipped)
    for path, state in files:
        if _is_recording(fs, path, skipped):
            yield path, state


def base_of(fs: Any, pattern: str) -> str:
    """The folder that a pattern starts from: what stands before its first wildcard, or more where that exists."""
    parts = pattern.split("/")
    first = next(number for number, part in enumerate(parts) if has_wildcards(part))
    while first < len(parts) - 1 and has_wildcards(parts[first]) and fs.isdir("/".join(parts[: first + 1])):
        first += 1
    return "/".join(parts[:first])


def matches(fs: Any, pattern: str, skipped: ByReason) -> Iterator[Found]:
    """The recordings and manifests that a pattern matches, in no particular order."""
    base = base_of(fs, pattern)
    whole = f"{glob.escape(base)}{pattern.removeprefix(base)}"
    if is_local(fs):
        depth = None if "**" in pattern else whole.count("/") - base.count("/")
        files = _LocalFolder(base or "/", skipped, re.compile(glob_translate(whole)).match, depth).files()
    else:
        files = _remote_matches(fs, base, whole, skipped)
    for path, state in files:
        if is_manifest(path) or _is_recording(fs, path, skipped):
            yield path, state


def _remote_matches(fs: Any, base: str, pattern: str, skipped: ByReason) -> Iterator[Found]:
    for path, info in sorted(fs.glob(pattern, detail=True).items()):
        below = posixpath.relpath(path, base) if base else path
        if any(map(is_hidden, below.split("/"))):
            skip(skipped, HIDDEN, path)
        elif info["type"] != "directory":
            yield path, FileState.of_info(info)
        elif "**" not in pattern:
            skip(skipped, FOLDER, path)


def _is_recording(fs: Any, path: str, skipped: ByReason) -> bool:
    """By the suffix where that is known, else by the header. What cannot be read is left to decoding, which says so."""
    if suffix(path) in MEDIA_SUFFIXES:
        return True
    if is_manifest(path):
        skip(skipped, MANIFEST, path)
        return False
    if suffix(path) in OTHER_SUFFIXES:
        skip(skipped, NO_MEDIA, path)
        return False
    try:
        with fs.open(path, "rb") as file:
            found = holds_audio(file)
    except OSError:
        return True
    if not found:
        skip(skipped, NO_AUDIO, path)
    return found


@dataclass(slots=True)
class _LocalFolder:
    """A walk through a folder of this machine that follows links and ends."""

    root: str
    skipped: ByReason
    wanted: Callable[[str], object] = bool
    """Whether a path is asked for; by default each is."""
    depth: int | None = None
    """Of paths that a pattern can match; None: any."""
    seen: set[tuple[int, int]] = field(default_factory=set)
    """Device and inode of the root, and of every folder that was reached through a link."""

    def files(self) -> Iterator[Found]:
        real = Path(self.root).resolve()
        self.seen.add(_identity(real.stat()))
        waiting = [(self.root, False, 1)]
        while waiting:
            folder, through_link, depth = waiting.pop()
            for entry in self._entries(folder):
                linked, is_folder = through_link or entry.is_symlink(), Path(entry.path).is_dir()
                if is_hidden(entry.name):
                    if (is_folder and self._goes_below(depth)) or self.wanted(entry.path):
                        skip(self.skipped, HIDDEN, entry.path)
                elif is_folder:
                    if self._is_entered(entry, real, depth, linked=linked):
                        waiting.append((entry.path, linked, depth + 1))
                elif self.wanted(entry.path):
                    if reason := self._left_out(entry, real):
                        skip(self.skipped, reason, entry.path)
                    else:
                        yield entry.path, FileState.at(entry.path)  # it may vanish at any time

    def _goes_below(self, depth: int) -> bool:
        return self.depth is None or depth < self.depth

    def _is_entered(self, entry: os.DirEntry[str], real: Path, depth: int, *, linked: bool) -> bool:
        """Whether to go into a folder. A pattern of limited depth ends anyway: there all links are followed."""
        if self.depth is not None:
            if self.wanted(entry.path):
                skip(self.skipped, FOLDER, entry.path)
            return self._goes_below(depth)
        if entry.is_symlink() and self._is_listed(Path(entry.path).resolve(), real):
            skip(self.skipped, KNOWN, entry.path)
            return False
        return not linked or self._is_new(entry)

    def _left_out(self, entry: os.DirEntry[str], real: Path) -> str:
        """Why a file is left out; empty where it is not."""
        if entry.is_symlink() and not Path(entry.path).exists():
            return BROKEN
        if entry.is_symlink() and self._is_listed(Path(entry.path).resolve(), real):
            return KNOWN
        return "" if entry.is_file() else SPECIAL

    def _is_listed(self, target: Path, real: Path) -> bool:
        """Whether the target of a link is reached in the walk of the root (`real`) without the link."""
        if not target.is_relative_to(real):
            return False
        below = target.relative_to(real)
        there = self.wanted(str(Path(self.root) / below)) or target.is_dir()
        return bool(there) and not any(map(is_hidden, below.parts))

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except OSError as error:
            if folder == self.root:
                raise
            skip(self.skipped, UNREADABLE, f"{folder} ({error.strerror})")

    def _is_new(self, entry: os.DirEntry[str]) -> bool:
        identity = _identity(entry.stat())
        if identity in self.seen:
            skip(self.skipped, KNOWN, entry.path)
            return False
        self.seen.add(identity)
        return True


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _remote_files(fs: Any, root: str, skipped: ByReason) -> Iterator[Found]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        for info in fs.ls(folder, detail=True):
            path = info["name"].rstrip("/")
            if path == folder.rstrip("/"):
                continue  # an object store's mark for the folder itself
            if is_hidden(posixpath.basename(path)):
                skip(skipped, HIDDEN, path)
            elif info["type"] == "directory":
                waiting.append(path)
            else:
                yield path, FileState.of_info(info)
        fs.invalidate_cache(folder)  # listings of a whole corpus would stay in memory
