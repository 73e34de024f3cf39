"""What goes into a build: files, folders, globs, manifests (JSONL, CSV, Parquet), local or any fsspec URL.

Every input becomes a `Source`. Its id is made of its file name and a digest of its path below the input that lists it,
so that a corpus keeps its ids when it moves.
"""

import csv
import hashlib
import io
import json
import logging
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import ConfigError
from curation.core.storage import file_system
from curation.manifests.records import Source

log = logging.getLogger(__name__)

MEDIA_SUFFIXES = frozenset(
    f".{name}"
    for names in ("wav flac mp3 m4a aac ogg oga opus webm mp4 mkv mov", "wma aif aiff amr ac3 caf au 3gp mka")
    for name in names.split()
)
MANIFEST_SUFFIXES = frozenset({".jsonl", ".csv", ".parquet"})
PATH_COLUMNS = ("path", "audio_filepath", "audio")
KNOWN_COLUMNS = frozenset({"id", "language", "speaker", "transcript"})


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
    elif posixpath.splitext(path)[1].lower() in MANIFEST_SUFFIXES:
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
        content = file.read()
    for number, row in enumerate(_rows(content, path), start=1):
        where = f"{argument}, row {number}"
        column = next((name for name in PATH_COLUMNS if row.get(name)), None)
        if column is None or not isinstance(row[column], str):
            msg = f"{where}: no path; expected a text column {PATH_COLUMNS[0]!r} with the recording's path or URL"
            raise ConfigError(msg)
        yield _manifest_input(fs, folder, row, column, where)


def _rows(content: bytes, path: str) -> list[dict[str, Any]]:
    suffix = posixpath.splitext(path)[1].lower()
    try:
        if suffix == ".parquet":
            return cast("list[dict[str, Any]]", pq.read_table(pa.BufferReader(content)).to_pylist())
        text = content.decode("utf-8-sig")
        if suffix == ".csv":
            return list(csv.DictReader(io.StringIO(text)))
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (pa.ArrowInvalid, ValueError, csv.Error) as error:
        msg = f"manifest {path} cannot be read as {suffix[1:]}: {error}"
        raise ConfigError(msg) from error


def _manifest_input(fs: Any, folder: str, row: Mapping[str, Any], column: str, where: str) -> Input:
    given = row[column]
    is_full = "://" in given or posixpath.isabs(given)
    path = given if is_full else posixpath.normpath(posixpath.join(folder, given))
    identifier = str(row.get("id") or make_id(given))
    if not re.fullmatch(r"(?!\.)[\w.-]{1,200}", identifier):
        msg = f"{where}: id {identifier!r} may hold only letters, digits, dots (not first), dashes and underscores"
        raise ConfigError(msg)
    extra = {key: value for key, value in row.items() if key not in KNOWN_COLUMNS | {column} and value is not None}
    source = Source(
        id=identifier,
        path=path if is_full else _url(fs, path),
        language=str(row.get("language") or ""),
        speaker=str(row.get("speaker") or ""),
        transcript=str(row.get("transcript") or row.get("text") or ""),
        extra=json.loads(json.dumps(extra, default=str)),
    )
    return Input(source)
