"""Denoise: speech enhancement, kept only where DNSMOS says that it helped (paper, data pipeline, step 1).

The decision is made once for a span, so that all utterances of a recording have the same background.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

from pydantic import Field, field_validator

from curation.audio.levels import PEAK, peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.settings import Section
from curation.core.timing import inside_model
from curation.manifests.records import Recording
from curation.stages.base import Stage
from curation.stages.denoise.dnsmos import Dnsmos, Quality
from curation.stages.denoise.registry import DENOISERS


class DenoiseConfig(Section):
    """Which denoiser runs, and when its result is taken."""

    denoiser: str = Field("rnnoise", description=f"One of {', '.join(DENOISERS)}")
    choose: Literal["better", "always", "never"] = Field(
        "better", description="Take the denoised audio where its DNSMOS OVRL is higher, always, or never"
    )
    seconds_per_window: float = Field(
        20.0, gt=0, description="DNSMOS scores one window (9.01 s) per this many seconds; 1 scores every window"
    )
    dnsmos_model: str = Field("dnsmos", description="Model reference of the folder with sig_bak_ovr.onnx")
    threads: int = Field(1, ge=1, description="CPU threads of DNSMOS")
    peak: float = Field(PEAK, gt=0, le=1, description="Absolute peak after denoising, full scale 1")

    @field_validator("denoiser")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DENOISERS:
            msg = f"unknown denoiser {name!r}: expected one of {', '.join(DENOISERS)}"
            raise ValueError(msg)
        return name


class Denoise(Stage):
    """Writes `dnsmos.{before,after}.{ovrl,sig,bak}` to the scores and `denoise.chosen` to the notes."""

    name = "denoise"

    def __init__(self, config: DenoiseConfig | None = None) -> None:
        self.config = config or DenoiseConfig()

    def setup(self) -> None:
        """Load the denoiser and DNSMOS."""
        self._denoiser = DENOISERS[self.config.denoiser]()
        self._denoiser.load()
        self._dnsmos = Dnsmos(self.config.dnsmos_model, threads=self.config.threads)

    def process(self, batch: Sequence[Recording]) -> None:
        """Replace `audio` of each recording that has some."""
        heard = [(recording, recording.audio) for recording in batch if recording.audio is not None]
        results = [self._denoise(audio) for _, audio in heard]  # all or none: may be called again
        for (recording, _), (audio, chosen, scores) in zip(heard, results, strict=True):
            recording.audio = audio
            recording.notes["denoise.chosen"] = chosen
            recording.scores.update(scores)

    def _denoise(self, audio: Wave) -> tuple[Wave, str, dict[str, float]]:
        """Choose the audio to go on with, which one it is, and the scores of both."""
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
        if better or self.config.choose == "always":
            return denoised, self.config.denoiser, scores
        return original, "original", scores

    def _score(self, wave: Wave) -> Quality:
        windows = math.ceil(len(wave) / SAMPLE_RATE / self.config.seconds_per_window)
        with inside_model("denoise.dnsmos"):
            return self._dnsmos.score(wave, max_windows=windows)
