"""Finds stages and model adapters: those of this repository by scanning its packages, others by entry points.

    SYSTEMS = Registry(AsrSystem, "curation.asr", ["curation.stages.transcribe"], what="ASR system")
    SYSTEMS["whisper"]                      # the class; raises ConfigError for an unknown kind

Built in is every subclass that sets its key (`kind`, or `name` for stages) in a module of the given packages: adding
one is adding a file, and for a stage its field in `BuildConfig`. What needs several files is a folder, and only its
module `entry` (`adapter.py`) is scanned. An installed package extends a registry by an entry point whose name is the
key:

    [project.entry-points."curation.asr"]
    mine = "my_package:MySystem"

A plug-in is imported on first use, which fails if it cannot be imported. `curation doctor` imports all.
"""

import difflib
import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from curation.core.errors import ConfigError

T = TypeVar("T")
OURS = "curation"


@dataclass(frozen=True, slots=True)
class PlugIn:
    """A class of an installed package, not imported yet."""

    name: str
    value: str
    """`module:Class`."""
    distribution: str
    """Name and version of the package."""
    entry: EntryPoint


@cache
def _entry_points(path: tuple[str, ...]) -> Any:  # noqa: ARG001 - what is installed follows it
    """Of all groups: each look through what is installed takes tens of milliseconds."""
    return entry_points()


@cache
def _installed(group: str, path: tuple[str, ...]) -> tuple[PlugIn, ...]:
    entries = sorted(_entry_points(path).select(group=group), key=str)
    found = {(entry.name, entry.value, _distribution(entry)): entry for entry in entries}
    return tuple(PlugIn(name, value, package, entry) for (name, value, package), entry in found.items())


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unnamed package"


class Registry(Generic[T]):
    """The classes of one kind: a mapping from names to classes."""

    def __init__(
        self,
        base: Any,
        group: str,
        packages: Sequence[str],
        *,
        what: str,
        key: str = "kind",
        entry: str = "adapter",
    ) -> None:
        self.base, self.group, self.what, self.key = base, group, what, key
        self._packages, self._entry = packages, entry

    @cached_property
    def built_in(self) -> Mapping[str, type[T]]:
        """The classes of this repository, in the order of their modules' names."""
        found: dict[str, type[T]] = {}
        for module in self._modules():
            for value in vars(importlib.import_module(module)).values():
                if self._is_one(value) and value.__module__ == module:
                    found[vars(value)[self.key]] = value
        return found

    @property
    def plug_ins(self) -> dict[str, PlugIn]:
        """Those of installed packages. Raises ConfigError where two packages, or one and this, give the same name."""
        found: dict[str, PlugIn] = {}
        for item in _installed(self.group, tuple(sys.path)):
            other = found[item.name].distribution if item.name in found else ""
            if item.name in self.built_in:
                other = OURS
            if other:
                msg = (
                    f"two packages provide the {self.what} {item.name!r}: {other} and {item.distribution}; "
                    f"uninstall one of them, or rename its entry point in {self.group}"
                )
                raise ConfigError(msg)
            found[item.name] = item
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([*self.built_in, *self.plug_ins])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return any(name == known for known in self)

    def __getitem__(self, name: str) -> type[T]:
        """The class. Raises ConfigError where there is none of that name, or where its package cannot be imported."""
        plug_ins = self.plug_ins
        if name in plug_ins:
            return self._load(plug_ins[name])
        if name not in self.built_in:
            raise ConfigError(self.unknown(name))
        return self.built_in[name]

    def unknown(self, name: str, *others: str) -> str:
        """The message for a name that is not known; `others` may be named too."""
        known = [*self, *others]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? Known: " if close else "expected one of "
        return f"unknown {self.what} {name!r}: {hint}{', '.join(known)}"

    def problems(self) -> list[tuple[PlugIn, str]]:
        """The plug-ins that cannot be used, each with the reason."""
        found = []
        for item in self.plug_ins.values():
            try:
                self._load(item)
            except ConfigError as error:
                found.append((item, str(error)))
        return found

    def _load(self, item: PlugIn) -> type[T]:
        try:
            value = item.entry.load()
        except Exception as error:
            msg = f"{self.what} {item.name!r}: {item.distribution} cannot be imported: {type(error).__name__}: {error}"
            raise ConfigError(msg) from error
        if not self._is_one(value) or vars(value)[self.key] != item.name:
            msg = (
                f"{self.what} {item.name!r}: {item.value} of {item.distribution} is not a subclass of "
                f"{self.base.__module__}.{self.base.__qualname__} with {self.key} = {item.name!r}"
            )
            raise ConfigError(msg)
        return value  # type: ignore[no-any-return]  # an entry point gives Any

    def _is_one(self, value: Any) -> bool:
        return isinstance(value, type) and issubclass(value, self.base) and isinstance(vars(value).get(self.key), str)

    def _modules(self) -> Iterable[str]:
        for package in self._packages:
            for item in pkgutil.iter_modules(importlib.import_module(package).__path__):
                name = f"{package}.{item.name}"
                if not item.ispkg:
                    yield name
                elif find_spec(f"{name}.{self._entry}") is not None:
                    yield f"{name}.{self._entry}"
