"""One input as the user names it: a file, a folder, a glob, a manifest, a corpus of another software, or a URL."""

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from curation.core.errors import ConfigError, UserError
from curation.core.faults import is_storage_fault, unreachable
from curation.core.file_state import FileState
from curation.core.names import printable
from curation.core.stores.protocols import PatientFileSystem, file_system
from curation.manifests.inputs.allowed import Allowed
from curation.manifests.inputs.corpora.registry import CORPORA
from curation.manifests.inputs.corpora.row import Row
from curation.manifests.inputs.folders import base_of, has_wildcards, is_local, matches, recordings_in
from curation.manifests.inputs.ids import Roots
from curation.manifests.inputs.rows import ManifestRow
from curation.manifests.inputs.skipped import ByReason
from curation.manifests.inputs.tables import is_manifest, rows_of
from curation.manifests.records import Source


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


@dataclass(frozen=True)
class Argument:
    """One of the inputs as the user names it. Its methods raise ConfigError where it cannot be read."""

    name: str

    @cached_property
    def format(self) -> str:
        """The format of a corpus of another software, as in `kaldi:data/train`; empty for anything else."""
        prefix, colon, rest = self.name.partition(":")
        return prefix if colon and prefix in CORPORA and not rest.startswith("//") else ""

    @cached_property
    def location(self) -> str:
        """The path or URL."""
        return self.name.removeprefix(f"{self.format}:") if self.format else self.name

    @cached_property
    def _fs_and_path(self) -> tuple[Any, str]:
        fs, path = file_system(self.location)
        return (fs if is_local(fs) else PatientFileSystem(fs, self.name)), path

    @cached_property
    def kind(self) -> str:
        """`corpus`, `folder`, `pattern`, `manifest` or `file`. What exists under the very name is no pattern."""
        if not self.location:
            msg = "an input has no name: name a file, a folder or a URL"
            raise ConfigError(msg)
        fs, path = self._fs_and_path
        with self._reading():
            if self.format and fs.exists(path):
                return "corpus"
            if self.format:
                msg = f"input {self.name} does not exist: {CORPORA[self.format].expects}"
                raise ConfigError(msg)
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
            is_folder = self.kind == "folder" or (self.kind == "corpus" and fs.isdir(path))
        return _url(fs, path if is_folder else posixpath.dirname(path))

    def inputs(self, roots: Roots, allowed: Allowed, skipped: ByReason) -> Iterator[Input]:
        """Everything that it names, as it is found."""
        fs, path = self._fs_and_path
        if self.kind == "manifest":
            yield from self._manifest(path, roots, allowed)
            return
        if self.kind == "corpus":
            with self._reading():
                for row in CORPORA[self.format].rows(fs, path):
                    yield self._input(row, self.root, roots, allowed)
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
                audio = audio or _audio_folder(fs, folder, values)
                yield self._input(Row(name, number, audio, values), _url(fs, folder), roots, allowed)

    def _input(self, found: Row, folder: str, roots: Roots, allowed: Allowed) -> Input:
        """What a row names; ids of recordings outside of all roots are made of the path as it is written."""
        fs, _ = self._fs_and_path
        row = ManifestRow(found.values, found.where)
        written = row.path
        full = resolved(fs, found.folder, written)
        allowed.check(full, folder, row.where)
        source = row.source(full, roots.id_of(_place(fs, full), written, folder))
        if "://" not in source.path:
            source.version = FileState.at(source.path).version
        return Input(source, manifest=found.file, row=found.number)

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


def resolved(fs: Any, folder: str, written: str) -> str:
    """The path or URL of a recording as a manifest in that folder writes it."""
    if "://" in written:
        return written
    if posixpath.isabs(written):
        return posixpath.normpath(written)
    return _url(fs, posixpath.normpath(posixpath.join(folder, written)))


def _place(fs: Any, full: str) -> str:
    """The path of a recording; of one inside of a file as if that were a folder, so that ids stay when it moves."""
    inner, chained, outer = full.partition("::")
    if not chained or "::" in outer:
        return full
    _, path = file_system(outer)
    return f"{_url(fs, path)}/{inner.partition('://')[2]}"


def _audio_folder(fs: Any, folder: str, values: Mapping[str, Any]) -> str:
    """The folder that paths of a manifest are relative to: its own, or `clips` in it for tables of Common Voice."""
    clips = posixpath.join(folder, "clips")
    return clips if "client_id" in values and fs.isdir(clips) else folder


def _url(fs: Any, path: str) -> str:
    return path if is_local(fs) else cast("str", fs.unstrip_protocol(path))
