"""The ASR systems, by kind: the files of this folder, and the entry points `curation.asr` of installed packages."""

from typing import Annotated

from pydantic import SerializeAsAny

from curation.core.kinds import SectionOf
from curation.core.plugins import Registry
from curation.stages.transcribe.base import AsrSystem, SystemConfig

SYSTEMS: Registry[AsrSystem] = Registry(AsrSystem, "curation.asr", ["curation.stages.transcribe"], what="ASR system")

AnySystemConfig = SerializeAsAny[Annotated[SystemConfig, SectionOf(SYSTEMS)]]
"""One section of `transcribe.systems`; its `kind` says which."""


def build_system(config: SystemConfig) -> AsrSystem:
    """The adapter for a section; nothing is loaded yet."""
    return SYSTEMS[config.kind](config)
