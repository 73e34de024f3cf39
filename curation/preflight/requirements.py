"""Which optional packages a configuration needs, and whether they are here.

They are not installed by default because they are large and only some systems use them.
"""

import importlib.util
from collections.abc import Iterator
from typing import Any

from curation.models.environments import folder_of, is_ready
from curation.pipeline.config import BuildConfig
from curation.stages.transcribe.base import SystemConfig
from curation.stages.transcribe.nemo import NemoConfig
from curation.stages.transcribe.omnilingual import ENVIRONMENT, REQUIREMENTS, OmnilingualConfig
from curation.stages.transcribe.seamless import SeamlessConfig

EXTRAS: dict[type[SystemConfig], tuple[str, str]] = {
    NemoConfig: ("nemo", "nemo"),
    SeamlessConfig: ("sentencepiece", "seamless"),
}
"""Configuration class -> module to look for, extra of this package that brings it."""

Finding = tuple[str, bool, str, str]
"""What was looked at, whether it is right, what was found, and the command that helps."""


def examine_extras(config: BuildConfig) -> list[Finding]:
    """One finding for each optional package or environment that the ASR systems of `config` need."""
    return list(dict.fromkeys(finding for system in config.transcribe.systems for finding in _of_system(system)))


def _of_system(system: Any) -> Iterator[Finding]:
    if type(system) in EXTRAS:
        module, extra = EXTRAS[type(system)]
        here = importlib.util.find_spec(module) is not None
        yield f"package {module}", here, "here" if here else "not installed", f"pip install 'curation[{extra}]'"
    if isinstance(system, OmnilingualConfig) and not system.python:
        here = is_ready(folder_of(ENVIRONMENT, REQUIREMENTS, system.interpreter))
        found = "here" if here else "not made yet: the first worker makes it, 7.3 GB"
        yield f"environment {ENVIRONMENT}", here, found, "python -m curation.preflight.environments"
