"""What a configuration needs that may not be on this machine: packages, environments, models, plug-ins that import.

It reads what stages and adapters declare (`curation.core.declarations`), and nothing else.
"""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.core.declarations import Missing, Use, Weights
from curation.core.plugins import Registry
from curation.models.catalogue import facts_of
from curation.models.environments import folder_of, is_ready
from curation.models.store import is_reference
from curation.pipeline.assemble import REGISTRIES, steps
from curation.pipeline.config import BuildConfig
from curation.tokenize.registry import kind_of


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a configuration names."""

    reference: str
    facts: Weights | None

    @property
    def is_reference(self) -> bool:
        """Whether the model store can resolve it; otherwise only the system itself can."""
        return is_reference(self.reference)


def models_of(uses: tuple[Use, ...]) -> list[Model]:
    """The models of a step, once each; names that mean no weights (`default`, `compact`) are left out."""
    declared = [weights for use in uses for weights in use.declared.weights]
    found = []
    for name in sorted({_reference(name) for use in uses for name in use.model_names}):
        model = Model(name, facts_of(name, declared))
        if model.facts is not None or model.is_reference:
            found.append(model)
    return found


def _reference(name: str) -> str:
    """A name as the model store takes it: a tokenizer's without its kind, a folder with `path:`."""
    kind = kind_of(name)
    name = name.removeprefix(f"{kind}:") if kind else name
    return f"path:{name}" if Path(name).expanduser().is_absolute() else name


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that has to be installed, and whether it is."""

    what: str
    here: bool
    found: str
    remedy: str


def requirements_of(config: BuildConfig) -> list[Requirement]:
    """Packages and environments that the stages and adapters of a configuration declare, once each."""
    found = [item for step in steps(config) for use in step.uses for item in _of_use(use)]
    return list(dict.fromkeys(found))


def _of_use(use: Use) -> Iterator[Requirement]:
    for package in use.declared.packages:
        here = importlib.util.find_spec(package.module) is not None
        yield Requirement(f"package {package.module}", here, "here" if here else "not installed", package.command)
    if (environment := use.declared.environment(use.section)) is not None:
        here = is_ready(folder_of(environment.name, environment.requirements, environment.interpreter))
        found = "here" if here else f"not created yet: the first worker creates it, {environment.gib:g} GiB"
        remedy = f"curation models environment {environment.name}"
        yield Requirement(f"environment {environment.name}", here, found, remedy)
    if (missing := use.declared.missing(use.section)) is not None:
        yield _explained(missing, use)


def _explained(missing: Missing, use: Use) -> Requirement:
    instead = f"; until then {use.instead} takes its place" if use.instead else ""
    return Requirement(missing.what, here=False, found=missing.found, remedy=f"{missing.remedy}{instead}")


def plug_ins() -> list[Requirement]:
    """The plug-ins of installed packages, whether the configuration names them or not, and whether they import."""
    return [item for registry in REGISTRIES for item in _of_registry(registry)]


def _of_registry(registry: Registry[Any]) -> Iterator[Requirement]:
    broken = {item.name: reason for item, reason in registry.problems()}
    for name, item in registry.plug_ins.items():
        found = broken.get(name, item.distribution)
        remedy = f"fix or uninstall {item.distribution.partition(' ')[0]}"
        yield Requirement(f"{registry.what} {name}", name not in broken, found, remedy)
