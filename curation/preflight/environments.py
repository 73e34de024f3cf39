"""The separate Python environments that ASR systems declare, created before their first use."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from curation.core.declarations import Environment
from curation.core.errors import ConfigError
from curation.models.environments import ensure
from curation.stages.transcribe.registry import SYSTEMS


def declared_environments() -> dict[str, Environment]:
    """By name; plug-ins that cannot be imported have none."""
    broken = {item.name for item, _ in SYSTEMS.problems()}
    found = []
    for adapter in (SYSTEMS[kind] for kind in SYSTEMS if kind not in broken):
        section: Any = adapter.section
        found.append(adapter.environment(section.model_construct()))
    return {environment.name: environment for environment in found if environment is not None}


def make_environments(names: Sequence[str] = ()) -> Iterator[tuple[str, Path]]:
    """Create those that are named, or all; gives each name with its interpreter. Raises ConfigError and ModelError."""
    known = declared_environments()
    if strange := [name for name in names if name not in known]:
        msg = f"there is no environment {strange[0]!r}: expected one of {', '.join(known)}"
        raise ConfigError(msg)
    for name in names or known:
        yield name, ensure(name, known[name].requirements, known[name].interpreter)
