"""Makes the Python environments of their own that ASR systems declare, before their first use.

python -m curation.preflight.environments [NAME ...]
"""

import sys
from collections.abc import Sequence
from typing import Any

from curation.core.declarations import Environment
from curation.core.errors import ConfigError
from curation.models.environments import ensure
from curation.stages.transcribe.registry import SYSTEMS


def declared_environments() -> dict[str, Environment]:
    """By name, made with our own Python; plug-ins that cannot be imported have none."""
    broken = {item.name for item, _ in SYSTEMS.problems()}
    adapters = [SYSTEMS[kind] for kind in SYSTEMS if kind not in broken]
    sections: list[Any] = [adapter.section for adapter in adapters]
    found = [adapter.environment(it.model_construct()) for adapter, it in zip(adapters, sections, strict=True)]
    return {environment.name: environment for environment in found if environment is not None}


def main(names: Sequence[str]) -> None:
    """Make those that are named, or all, and print where their interpreters are. Raises ConfigError and ModelError."""
    known = declared_environments()
    for name in names or known:
        if name not in known:
            msg = f"there is no environment {name!r}: expected one of {', '.join(known)}"
            raise ConfigError(msg)
        environment = known[name]
        sys.stdout.write(f"{name}: {ensure(name, environment.requirements, environment.interpreter)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
