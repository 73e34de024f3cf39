"""The ASR systems, by `kind`. To add one: a file with a configuration section and a class, and a line here."""

from typing import Annotated, Any

from pydantic import Field

from curation.stages.transcribe.base import AsrSystem, LanguageIdentifier, SystemConfig
from curation.stages.transcribe.moonshine import Moonshine, MoonshineConfig
from curation.stages.transcribe.nemo import Nemo, NemoConfig
from curation.stages.transcribe.omnilingual import Omnilingual, OmnilingualConfig
from curation.stages.transcribe.pocketsphinx import PocketSphinx, PocketSphinxConfig
from curation.stages.transcribe.seamless import Seamless, SeamlessConfig
from curation.stages.transcribe.whisper import Whisper, WhisperConfig

AnySystemConfig = Annotated[
    WhisperConfig | MoonshineConfig | PocketSphinxConfig | NemoConfig | SeamlessConfig | OmnilingualConfig,
    Field(discriminator="kind"),
]
"""One section of `transcribe.systems`; its `kind` says which."""

SYSTEMS: dict[str, type[Any]] = {
    "whisper": Whisper,
    "moonshine": Moonshine,
    "pocketsphinx": PocketSphinx,
    "nemo": Nemo,
    "seamless": Seamless,
    "omnilingual": Omnilingual,
}


def build_system(config: AnySystemConfig) -> AsrSystem:
    """The adapter for a configuration section; nothing is loaded yet."""
    system: AsrSystem = SYSTEMS[config.kind](config)
    return system


__all__ = ["SYSTEMS", "AnySystemConfig", "AsrSystem", "LanguageIdentifier", "SystemConfig", "build_system"]
