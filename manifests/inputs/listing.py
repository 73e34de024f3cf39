"""What goes into a build: files, folders, globs and manifests, local or on any fsspec file system.

    for item in Listing(["recordings/", "more.jsonl"]):
        ...

Every input becomes a `Source` with an id that stays when the corpus moves.
"""

import functools
import itertools
import logging
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, cast

from curation.core.errors import ConfigError, UserError
from curation.core.faults import is_storage_fault, unreachable
from curation.core.file_state import FileState
from curation.core.names import printable
from curation.core.stores.protocols import PatientFileSystem, file_system
from curation.manifests.inputs.allowed import Allowed
from curation.manifests.inputs.folders import base_of, has_wildcards, is_local, matches, recordings_in
from curation.manifests.inputs.ids import Roots
from curation.manifests.inputs.rows import SEGMENT_MARK, ManifestRow
from curation.manifests.inputs.skipped import ByReason, skip
from curation.manifests.inputs.spill import SortedOnDisk
from curation.manifests.inputs.tables import is_manifest, rows_of
from curation.manifests.records import Source

log = logging.getLogger(__name__)

REPEATED = "named more than once"


@dataclass(frozen=True, slots=True)
class Input:
    """A source, and where it was found."""

    source: Source
    size: int = 0
    """Bytes; 0 where the listing has none."""
    manifest: str = ""
    """The manifest that names it; empty where it was found as a file."""
    row: int = 0
    """Of the manifest."""

    @property
    def where(self) -> str:
        """The place to look at, for messages."""
        return f"{self.manifest}, row {self.row}" if self.manifest else self.source.path


def id_of(item: Input) -> str:
    """The id of the source."""
    return item.source.id


def inputs_on_disk() -> SortedOnDisk[Input]:
    """An empty list of inputs, which it sorts by id."""
    return SortedOnDisk(id_of, _to_json, lambda values: Input(Source(*values[:-3]), *values[-3:]))


def _to_json(item: Input) -> list[Any]:
    return [*_values(item.source), item.size, item.manifest, item.row]


_values = attrgetter(*(field.name for field in fields(Source)))


@dataclass(frozen=True)
class Argument:
    """One of the inputs as the user names it. Its methods raise ConfigError where it cannot be read."""

    name: str

    @cached_property
    def _fs_and_path(self) -> tuple[Any, str]:
        fs, path = file_system(self.name)
        return (fs if is_local(fs) else PatientFileSystem(fs, self.name)), path

    @cached_property
    def kind(self) -> str:
        """`folder`, `pattern`, `manifest` or `file`. What exists under the very name is no pattern."""
        if not self.name:
            msg = "an input has no name: name a file, a folder or a URL"
            raise ConfigError(msg)
        fs, path = self._fs_and_path
        with self._reading():
            if is_manifest(path) and fs.exists(path):
                return "manifest"  # a folder of this name holds its parts
            if fs.isdir(path):
                return "folder"
            if fs.exists(path):
                return "file"
        if has_wildcards(path):
            return "pattern"
        msg = f"input {self.name} does not exist"
        raise ConfigError(msg)

    @cached_property
    def root(self) -> str:
        """The folder that ids are relative to, as a path or URL."""
        fs, path = self._fs_and_path
        with self._reading():
            if self.kind == "pattern":
                return _url(fs, base_of(fs, path))
        return _url(fs, path if self.kind == "folder" else posixpath.dirname(path))

    def inputs(self, roots: Roots, allowed: Allowed, skipped: ByReason) -> Iterator[Input]:
        """Everything that it names, as it is found."""
        fs, path = self._fs_and_path
        if self.kind == "manifest":
            yield from self._manifest(path, roots, allowed)
            return
        for found, state in self._found(skipped):
            if self.kind == "pattern" and is_manifest(found):
                yield from self._manifest(found, roots, allowed)
            else:
                url = _url(fs, found)
                source = Source(id=roots.id_of(url), path=printable(url), version=state.version)
                yield Input(source, state.size)

    def _found(self, skipped: ByReason) -> Iterator[tuple[str, FileState]]:
        fs, path = self._fs_and_path
        with self._reading():
            if self.kind == "folder":
                yield from recordings_in(fs, path, skipped)
            elif self.kind == "pattern":
                yield from matches(fs, path, skipped)
            else:
                yield path, FileState.at(_url(fs, path))

    def _manifest(self, path: str, roots: Roots, allowed: Allowed) -> Iterator[Input]:
        fs, _ = self._fs_and_path
        with self._reading():
            if fs.isdir(path):
                for part in sorted(fs.find(path)):
                    if is_manifest(part):
                        yield from self._rows(part, posixpath.dirname(path), roots, allowed)
            else:
                yield from self._rows(path, posixpath.dirname(path), roots, allowed)

    def _rows(self, path: str, folder: str, roots: Roots, allowed: Allowed) -> Iterator[Input]:
        fs, _ = self._fs_and_path
        name, audio = _url(fs, path), ""
        with fs.open(path, "rb") as file:
            for number, values in rows_of(file, name):
                row = ManifestRow(values, f"{name}, row {number}")
                written = row.path
                audio = audio or _audio_folder(fs, folder, values)
                full = resolved(fs, audio, written)
                allowed.check(full, _url(fs, folder), row.where)
                source = row.source(full, roots.id_of(full, written, _url(fs, folder)))
                if "://" not in source.path:
                    source.version = FileState.at(source.path).version
                yield Input(source, manifest=name, row=number)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """File systems raise anything: what they say becomes a sentence that names the input."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if is_storage_fault(error):
                raise unreachable(self.name, error) from error
            msg = f"input {self.name} cannot be read: {type(error).__name__}: {error}"
            raise ConfigError(msg) from error


class Listing:
    """The inputs of a build, listed while they are iterated over. Raises ConfigError for one that cannot be read."""

    def __init__(
        self,
        names: Iterable[str],
        roots: Roots | None = None,
        allow: list[str] | None = None,
        *,
        may_be_moved: bool = True,
    ) -> None:
        self.arguments = [Argument(name) for name in names]
        self._allowed = Allowed((argument.name for argument in self.arguments), allow)
        self.roots = roots if roots is not None else Roots()
        """Also those of earlier runs."""
        self.skipped: dict[str, ByReason] = {argument.name: {} for argument in self.arguments}
        """What was left out so far, by input."""
        self.roots.add((argument.root for argument in self.arguments), _exists if may_be_moved else lambda _: True)

    def __iter__(self) -> Iterator[Input]:
        for argument in self.arguments:
            yield from argument.inputs(self.roots, self._allowed, self.skipped[argument.name])

    def distinct(self) -> SortedOnDisk[Input]:
        """All inputs sorted by id. Raises ConfigError where two differ in more than who names them, or there are none.

        What a manifest says of a recording counts, where a folder holds it too.
        """
        every, found = inputs_on_disk(), inputs_on_disk()
        for item in self:
            every.add(item)
        whole: Input | None = None
        for _, same in itertools.groupby(every, key=id_of):
            item = functools.reduce(self._one_of, same)
            _check_part(item, whole)
            whole = item if item.source.offset is None else whole
            found.add(item)
        _tell(self.skipped)
        if not found:
            names = ", ".join(argument.name for argument in self.arguments)
            msg = f"no recordings in {names or 'the inputs'}: expected audio or video files, or a manifest"
            raise ConfigError(msg)
        return found

    def _one_of(self, item: Input, other: Input) -> Input:
        """The one that counts of two with the same id, of which `other` was found later."""
        skip(next(iter(self.skipped.values())), REPEATED, other.where)
        if other.manifest and not item.manifest and other.source.path == item.source.path:
            return other
        _check_equal(other, item)
        return item


def list_inputs(names: Iterable[str]) -> list[Input]:
    """All files that the inputs name, sorted by id. Raises ConfigError with the input and the remedy."""
    found = list(Listing(names).distinct())
    part = next((item for item in found if _is_part(item.source)), None)
    if part is not None:
        msg = (
            f"{part.where}: only builds cut recordings out of files: name the whole file, without offset, track and "
            f"channel"
        )
        raise ConfigError(msg)
    return found


def _is_part(source: Source) -> bool:
    return any(value is not None for value in (source.offset, source.track, source.channel))


def resolved(fs: Any, folder: str, written: str) -> str:
    """The path or URL of a recording as a manifest in that folder writes it."""
    if "://" in written:
        return written
    if posixpath.isabs(written):
        return posixpath.normpath(written)
    return _url(fs, posixpath.normpath(posixpath.join(folder, written)))


def _tell(skipped: Mapping[str, ByReason]) -> None:
    for found in skipped.values():
        for reason, item in sorted(found.items()):
            log.warning("left out: %d %s, e.g. %s", item.count, reason, item.examples[0])


def _check_equal(item: Input, other: Input) -> None:
    if item.source.path != other.source.path:
        msg = f"{other.where} and {item.where} have the same id {item.source.id!r}: make the ids unique"
        raise ConfigError(msg)
    if item.manifest and other.manifest and item.source != other.source:
        msg = (
            f"{other.where} and {item.where} name the same recording {item.source.path} with other values: remove one, "
            f"or give each an id"
        )
        raise ConfigError(msg)


def _audio_folder(fs: Any, folder: str, values: Mapping[str, Any]) -> str:
    """The folder that paths of a manifest are relative to: its own, or `clips` in it for tables of Common Voice."""
    clips = posixpath.join(folder, "clips")
    return clips if "client_id" in values and fs.isdir(clips) else folder


def _exists(folder: str) -> bool:
    """Whether a folder of an earlier run is still there; one that cannot be asked for counts as there."""
    try:
        fs, path = file_system(folder)
        return bool(fs.exists(path))
    except (OSError, UserError):
        return True


def _check_part(item: Input, whole: Input | None) -> None:
    """Raise ConfigError for a segment of a file that is a recording of its own as well: it would come before this."""
    if whole is not None and item.source.id.startswith(f"{whole.source.id}{SEGMENT_MARK}"):
        msg = (
            f"{item.where} is a part of {item.source.path}, and {whole.where} is the whole of it, so that it would "
            f"be there twice: give every row of a file an offset (0 for its beginning), or name the file only once"
        )
        raise ConfigError(msg)


def _url(fs: Any, path: str) -> str:
    return path if is_local(fs) else cast("str", fs.unstrip_protocol(path))
