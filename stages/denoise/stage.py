"""Denoise: speech enhancement of what is published, where the recording is noisy (paper, data pipeline, step 1).

Models hear the recording as it was: every denoiser makes ASR worse. The noise is lowered by a few dB and not removed,
since what a denoiser takes for noise may be a consonant. The decision is made once for a span, so that all utterances
of a recording have the same background; DNSMOS does not make it, as it rates the removal of babble and of consonants
higher than the recording (docs/results/2026-11-27-denoising.md).
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.audio.levels import peak_normalize
from curation.audio.quality import snr_db
from curation.audio.wave import Wave
from curation.core.declarations import Note, Resources, Score, Use
from curation.core.kinds import KindOf, Options, OptionsOf, make, section_for
from curation.core.settings import Section, later_field
from curation.core.timing import inside_model
from curation.manifests.records import Recording
from curation.stages.base import DECIMALS, Stage
from curation.stages.denoise.registry import DENOISERS


class DenoiseConfig(Section):
    """Which denoiser runs, and when its result is used."""

    denoiser: Annotated[str, KindOf(DENOISERS)] = Field("deepfilternet3", description="Kind of the denoiser")
    options: Annotated[Options, OptionsOf(DENOISERS)] = later_field(
        {}, "Settings of denoisers that have some, by their kind"
    )
    choose: Literal["noisy", "always", "never"] = Field(
        "noisy", description="Publish the denoised audio where the recording is noisy (`max_snr_db`), always, or never"
    )
    max_snr_db: float = Field(
        10.0, description="A recording is noisy below this estimated ratio of speech to steady noise, dB"
    )
    attenuation_limit_db: float | None = Field(
        6.0, gt=0, description="What is taken for noise is lowered by this at most, dB; null: no limit"
    )

    @model_validator(mode="after")
    def _has_its_settings(self) -> Self:
        section_for(DENOISERS, self.denoiser, self.options)
        return self


class Denoise(Stage):
    """Sets the denoised audio of a recording where that is chosen."""

    name = "denoise"
    section = DenoiseConfig
    after = "loudness"
    resources = Resources(memory_gib=0.15)
    scores = (
        Score("denoise.snr_db", "dB", "estimated ratio of speech to steady noise, after compression", "recording"),
    )
    notes = (Note("denoise.chosen", "kind of the denoiser whose audio is published, or original", "recording"),)

    def __init__(self, config: DenoiseConfig | None = None) -> None:
        self.config = config or DenoiseConfig()

    @classmethod
    def adapters(cls, section: DenoiseConfig) -> list[Use]:
        """The denoiser."""
        kind = section.denoiser
        return [Use(f"denoise.{kind}", DENOISERS[kind], section_for(DENOISERS, kind, section.options))]

    def setup(self) -> None:
        """Load the denoiser."""
        self._denoiser = make(DENOISERS, self.config.denoiser, self.config.options)
        self._denoiser.load()

    def process(self, batch: Sequence[Recording]) -> None:
        """Set `denoised` of each recording that has audio; None where the original is chosen."""
        for recording in batch:
            if recording.audio is not None:
                ratio = snr_db(recording.audio)
                recording.denoised = self.denoised(recording.audio) if self.chosen(ratio) else None
                recording.scores["denoise.snr_db"] = round(ratio, DECIMALS)
                recording.notes["denoise.chosen"] = "original" if recording.denoised is None else self.config.denoiser

    def chosen(self, ratio: float) -> bool:
        """Whether a recording with this estimated signal-to-noise ratio (dB) is denoised."""
        choose = self.config.choose
        return choose == "always" or (choose == "noisy" and ratio < self.config.max_snr_db)

    def denoised(self, wave: Wave) -> Wave:
        """(samples,) float32 at 16 kHz, within -1..1 -> the same with less noise, peak 0.6.

        The limit mixes the enhanced wave with the noisy one, as `atten_lim_db` of DeepFilterNet does.
        """
        with inside_model(f"denoise.{self.config.denoiser}"):
            enhanced = self._denoiser.denoise(wave)
        limit = self.config.attenuation_limit_db
        if limit is not None:
            left = np.float32(10 ** (-limit / 20))
            enhanced = left * wave + (1 - left) * enhanced
        return peak_normalize(enhanced)
