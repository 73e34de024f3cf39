"""What goes into a build: files, folders, globs, manifests, local or any fsspec URL.

Every input becomes a `Source`. Its id is made of its file name and a digest of its path below the input that lists it,
so that a corpus keeps its ids when it moves.
"""

import hashlib
import logging
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import fsspec

from curation.core.errors import ConfigError
from curation.core.storage import file_system
from curation.manifests.inputs.rows import ManifestRow
from curation.manifests.inputs.tables import is_manifest, rows_of
from curation.manifests.records import Source

log = logging.getLogger(__name__)

MEDIA_SUFFIXES = frozenset(
    f".{name}"
    for names in ("wav flac mp3 m4a aac ogg oga opus webm mp4 mkv mov", "wma aif aiff amr ac3 caf au 3gp mka")
    for name in names.split()
)


@dataclass(frozen=True, slots=True)
class Input:
    """A source and its size in bytes (0 where the listing has none)."""

    source: Source
    size: int = 0


def list_inputs(inputs: Iterable[str]) -> list[Input]:
    """All recordings that the arguments name, sorted by id. Raises ConfigError with the argument and the remedy."""
    found: dict[str, Input] = {}
    for argument in inputs:
        for item in _expand(argument):
            other = found.get(item.source.id)
            if other is not None and other.source.path != item.source.path:
                paths = f"{other.source.path} and {item.source.path}"
                msg = f"{paths} have the same id {item.source.id!r}: make the ids unique"
                raise ConfigError(msg)
            found[item.source.id] = item
    if not found:
        msg = f"no recordings in {', '.join(inputs) or 'the inputs'}: expected audio or video files, or a manifest"
        raise ConfigError(msg)
    return sorted(found.values(), key=lambda item: item.source.id)


def make_id(path: str) -> str:
    """A readable identifier for a path: letters, digits and dashes of the file name, and 8 hex digits of a digest."""
    stem = posixpath.splitext(posixpath.basename(path))[0]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:48] or "recording"
    return f"{readable}-{hashlib.blake2b(path.encode(), digest_size=4).hexdigest()}"


def _expand(argument: str) -> Iterator[Input]:
    fs, path = file_system(argument)
    if any(mark in path for mark in "*?["):
        base = posixpath.dirname(path.split("*")[0].split("?")[0].split("[")[0])
        yield from _listed(fs, fs.glob(path, detail=True), base)
    elif fs.isdir(path):
        yield from _listed(fs, fs.find(path, detail=True), path)
    elif not fs.exists(path):
        msg = f"input {argument} does not exist"
        raise ConfigError(msg)
    elif is_manifest(path):
        yield from _manifest(fs, path, argument)
    else:
        yield _file(fs, path, posixpath.dirname(path), fs.info(path))


def _listed(fs: Any, listing: Mapping[str, Any], base: str) -> Iterator[Input]:
    skipped = []
    for path, info in sorted(listing.items()):
        if info["type"] != "file":
            continue
        if posixpath.splitext(path)[1].lower() in MEDIA_SUFFIXES:
            yield _file(fs, path, base, info)
        else:
            skipped.append(path)
    if skipped:
        log.warning("%d files without an audio or video suffix were skipped, e.g. %s", len(skipped), skipped[0])


def _file(fs: Any, path: str, base: str, info: Mapping[str, Any]) -> Input:
    relative = posixpath.relpath(path, base) if base else path
    return Input(Source(id=make_id(relative), path=_url(fs, path)), size=int(info.get("size") or 0))


def _url(fs: Any, path: str) -> str:
    is_local = isinstance(fs, fsspec.implementations.local.LocalFileSystem)
    return path if is_local else cast("str", fs.unstrip_protocol(path))


def _manifest(fs: Any, path: str, argument: str) -> Iterator[Input]:
    folder = posixpath.dirname(path)
    with fs.open(path, "rb") as file:
        for number, values in rows_of(file, argument):
            row = ManifestRow(values, f"{argument}, row {number}")
            given = row.path
            is_full = "://" in given or posixpath.isabs(given)
            full = given if is_full else _url(fs, posixpath.normpath(posixpath.join(folder, given)))
            yield Input(row.source(full, make_id(given)))
