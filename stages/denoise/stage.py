"""Denoise: speech enhancement of what is published, where that improves DNSMOS (paper, data pipeline, step 1).

Models hear the recording as it was: every denoiser makes ASR worse. The decision is made once for a span, so that all
utterances of a recording have the same background.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from curation.audio.levels import PEAK, peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Note, Resources, Score, Use
from curation.core.kinds import KindOf, Options, OptionsOf, make, section_for
from curation.core.settings import Section, later_field, model_field
from curation.core.timing import inside_model
from curation.manifests.records import Recording
from curation.stages.base import Stage
from curation.stages.denoise.dnsmos import Dnsmos, Quality
from curation.stages.denoise.registry import DENOISERS


class DenoiseConfig(Section):
    """Which denoiser runs, and when its result is used."""

    denoiser: Annotated[str, KindOf(DENOISERS)] = Field("rnnoise", description="Kind of the denoiser")
    options: Annotated[Options, OptionsOf(DENOISERS)] = later_field(
        {}, "Settings of denoisers that have some, by their kind"
    )
    choose: Literal["better", "always", "never"] = Field(
        "better", description="Use the denoised audio where its DNSMOS OVRL is higher, always, or never"
    )
    seconds_per_window: float = Field(
        20.0, gt=0, description="DNSMOS scores one window (9.01 s) per this many seconds; 1 scores every window"
    )
    dnsmos_model: str = model_field("dnsmos", "Model reference of the folder with sig_bak_ovr.onnx")
    threads: int = Field(1, ge=1, description="CPU threads of DNSMOS")
    peak: float = Field(PEAK, gt=0, le=1, description="Absolute peak after denoising, full scale 1")

    @model_validator(mode="after")
    def _has_its_settings(self) -> Self:
        section_for(DENOISERS, self.denoiser, self.options)
        return self


class Denoise(Stage):
    """Sets the denoised audio of a recording where that is chosen."""

    name = "denoise"
    section = DenoiseConfig
    after = "loudness"
    resources = Resources(memory_gib=0.05)
    scores = tuple(
        Score(
            f"dnsmos.{when}.{key}",
            "MOS",
            f"predicted listening score {when} denoising, 1 to 5: {what}",
            "recording",
            short=short and short + key,
        )
        for when, short in (("before", ""), ("after", "dnsmos_"))
        for key, what in (("sig", "speech"), ("bak", "background"), ("ovrl", "overall"))
    )
    notes = (Note("denoise.chosen", "kind of the denoiser whose audio is used, or original", "recording"),)

    def __init__(self, config: DenoiseConfig | None = None) -> None:
        self.config = config or DenoiseConfig()

    @classmethod
    def adapters(cls, section: DenoiseConfig) -> list[Use]:
        """The denoiser."""
        kind = section.denoiser
        return [Use(f"denoise.{kind}", DENOISERS[kind], section_for(DENOISERS, kind, section.options))]

    def setup(self) -> None:
        """Load the denoiser and DNSMOS."""
        self._denoiser = make(DENOISERS, self.config.denoiser, self.config.options)
        self._denoiser.load()
        self._dnsmos = Dnsmos(self.config.dnsmos_model, threads=self.config.threads)

    def process(self, batch: Sequence[Recording]) -> None:
        """Set `denoised` of each recording that has audio; None where the original is chosen."""
        heard = [(recording, recording.audio) for recording in batch if recording.audio is not None]
        results = [self._denoise(audio) for _, audio in heard]  # all or none: may be called again
        for (recording, _), (denoised, scores) in zip(heard, results, strict=True):
            recording.denoised = denoised
            recording.notes["denoise.chosen"] = "original" if denoised is None else self.config.denoiser
            recording.scores.update(scores)

    def _denoise(self, audio: Wave) -> tuple[Wave | None, dict[str, float]]:
        """The denoised audio if it is chosen, and the scores of both."""
        original = peak_normalize(audio, self.config.peak)
        with inside_model(f"denoise.{self.config.denoiser}"):
            denoised = peak_normalize(self._denoiser.denoise(original), self.config.peak)
        before, after = self._score(original), self._score(denoised)
        scores = {
            f"dnsmos.{when}.{key}": round(value, 4)
            for when, quality in (("before", before), ("after", after))
            for key, value in asdict(quality).items()
        }
        better = self.config.choose == "better" and after.ovrl > before.ovrl
        return denoised if better or self.config.choose == "always" else None, scores

    def _score(self, wave: Wave) -> Quality:
        windows = math.ceil(len(wave) / SAMPLE_RATE / self.config.seconds_per_window)
        with inside_model("denoise.dnsmos"):
            return self._dnsmos.score(wave, max_windows=windows)
