"""Turn raw speech recordings into training shards, and account for every second of them.

    from curation import build, load_config

    summary = build(load_config(), ["recordings/"], "corpus")

The names below are loaded when they are first used: `import curation` itself imports nothing heavy.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from curation.core.version import __version__

if TYPE_CHECKING:
    from curation.core.errors import ConfigError, DataError, LockError, ModelError, UserError
    from curation.manifests.summary import Summary
    from curation.pipeline.config import BuildConfig, load_config
    from curation.pipeline.job import Progress
    from curation.pipeline.run import build

# Idle OpenMP threads sleep. By default they spin, and beside another program two of them wait for each other most of
# the time. OpenMP reads this when torch is loaded, so it stands before all that loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = [
    "BuildConfig",
    "ConfigError",
    "DataError",
    "LockError",
    "ModelError",
    "Progress",
    "Summary",
    "UserError",
    "__version__",
    "build",
    "load_config",
]

_MODULES = {
    "curation.core.errors": ("ConfigError", "DataError", "LockError", "ModelError", "UserError"),
    "curation.manifests.summary": ("Summary",),
    "curation.pipeline.config": ("BuildConfig", "load_config"),
    "curation.pipeline.job": ("Progress",),
    "curation.pipeline.run": ("build",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    msg = f"module 'curation' has no attribute {name!r}"
    raise AttributeError(msg)
