"""Quality: how well each utterance was recorded, measured on the recording as it was decoded.

DNSMOS hears 9 s at once: short utterances of a speaker that follow one another in a span share a window and its score,
which bounds the cost. A corpus sets its own limits, which re-run no model. The audio of the pipeline ends at 8 kHz;
what the file had is in the shards (`source_sample_rate`, `source_codec`).
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from curation.audio.levels import peak_normalize
from curation.audio.quality import bandwidth_hz, clipped_share, snr_db
from curation.audio.wave import Wave
from curation.core.declarations import Resources, Score
from curation.core.settings import Section, model_field, threshold
from curation.core.timing import inside_model
from curation.manifests.records import Recording, Segment
from curation.stages.base import NOISE_DECIMALS, Stage
from curation.stages.quality.dnsmos import WINDOW, Dnsmos

MEASURES = {"snr_db": snr_db, "bandwidth_hz": bandwidth_hz, "clipped_share": clipped_share}


class QualityConfig(Section):
    """What is measured, and the limits of what is kept; null: no limit."""

    dnsmos: bool = Field(
        default=True, description="Score utterances by DNSMOS, short ones of a speaker together: 0.2 s of a CPU for 9 s"
    )
    dnsmos_model: str = model_field("dnsmos", "Model reference of the folder with sig_bak_ovr.onnx")
    threads: int = Field(1, ge=1, description="CPU threads of DNSMOS")
    min_snr_db: float | None = threshold(
        None, "Estimated ratio of speech to steady noise, dB", score="quality.snr_db", rejects="<"
    )
    min_bandwidth_hz: float | None = threshold(
        None, "Upper edge of the spectrum, Hz: 4000 for telephone speech", score="quality.bandwidth_hz", rejects="<"
    )
    max_clipped_share: float | None = threshold(
        None, "Share of clipped samples, 0..1", score="quality.clipped_share", rejects=">"
    )
    min_dnsmos: float | None = threshold(
        None, "Overall listening score that DNSMOS predicts, 1 to 5", score="quality.dnsmos.ovrl", rejects="<"
    )

    @model_validator(mode="after")
    def _is_scored(self) -> Self:
        if self.min_dnsmos is not None and not self.dnsmos:
            msg = "min_dnsmos needs the scores of DNSMOS: set dnsmos to true, or min_dnsmos to null"
            raise ValueError(msg)
        return self


class Quality(Stage):
    """Scores each live segment."""

    name = "quality"
    section = QualityConfig
    after = "diarize"
    hears_spans = True
    resources = Resources(memory_gib=0.3)
    scores = (
        Score("quality.snr_db", "dB", "estimated ratio of speech to steady noise; saturates near 30", short="snr_db"),
        Score("quality.bandwidth_hz", "Hz", "upper edge of the spectrum, at most 8000", short="bandwidth_hz"),
        Score(
            "quality.clipped_share",
            "1",
            "share of samples where the waveform is flat at its top",
            short="clipped_share",
        ),
        *(
            Score(f"quality.dnsmos.{key}", "MOS", f"predicted listening score, 1 to 5: {what}", short=f"dnsmos_{key}")
            for key, what in (("sig", "speech"), ("bak", "background"), ("ovrl", "overall"))
        ),
    )

    def __init__(self, config: QualityConfig | None = None) -> None:
        self.config = config or QualityConfig()

    def setup(self) -> None:
        """Load DNSMOS if it is wanted."""
        config = self.config
        self._dnsmos = Dnsmos(config.dnsmos_model, threads=config.threads) if config.dnsmos else None

    def process(self, batch: Sequence[Recording]) -> None:
        """Write the scores."""
        for recording in batch:
            for group in windows(recording.live_segments):
                waves = [recording.slice(item.start, item.end, decoded=True) for item in group]
                listening = self.listen(np.concatenate(waves))
                for segment, wave in zip(group, waves, strict=True):
                    scores = {f"quality.{name}": measure(wave) for name, measure in MEASURES.items()} | listening
                    segment.scores |= {name: round(value, NOISE_DECIMALS) for name, value in scores.items()}

    def listen(self, wave: Wave) -> dict[str, float]:
        """DNSMOS of (samples,), of the 9 s in the middle where it is longer."""
        if self._dnsmos is None:
            return {}
        begin = max(0, len(wave) - WINDOW) // 2
        with inside_model("quality.dnsmos"):
            found = self._dnsmos.score(peak_normalize(wave[begin : begin + WINDOW]), max_windows=1)
        return {f"quality.dnsmos.{key}": value for key, value in asdict(found).items()}


def windows(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Segments in groups of a speaker's that follow one another and fit a window of DNSMOS together, or of one."""
    groups: list[list[Segment]] = []
    last: dict[str, list[Segment]] = {}
    for segment in segments:
        group = last.get(segment.speaker)
        if group is None or sum(item.num_samples for item in [*group, segment]) > WINDOW:
            group = last[segment.speaker] = []
            groups.append(group)
        group.append(segment)
    return groups
