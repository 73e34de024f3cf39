"""Boundary: was a word cut at the start or the end of an utterance? Judged by the energy profile at its edges.

Source: the GPA paper, section on data curation, which filters mid-word truncation by the energy profile without
details; the score is ours. A word that is cut has speech energy right up to the edge, whereas a complete utterance
fades into the pause around it. So the level of the first (last) 30 ms is placed between the noise floor (0) and the
speech level (1) of the same utterance, which makes it independent of gain and noise, and a logistic curve turns it into
a probability. Tried as well, without a gain on recordings unseen by the fit: the minimum level near the edge,
the length of the silent run, the slope, voicing, zero crossings, and fourteen features together.

Coefficients and accuracy come from tests/bench/accuracy/boundary.py.
"""

import math
from collections.abc import Sequence

import numpy as np

from curation.audio.levels import frame_energy
from curation.audio.wave import Wave
from curation.core.declarations import Score
from curation.core.settings import Section, threshold
from curation.manifests.records import Recording
from curation.stages.base import Stage

EDGE_FRAMES = 3
"""Frames of 10 ms at the edge whose level counts."""
MAX_RANGE_DB = 50.0
MIN_RANGE_DB = 6.0
"""Limits of the distance between noise floor and speech level: digital silence is not a better pause than a quiet
room, and an utterance without contrast gives no evidence."""
SLOPE, OFFSET = 6.6, 0.356
"""Of the logistic curve: at a relative level of `OFFSET`, cut and whole are equally likely."""


class BoundaryConfig(Section):
    """Settings of the boundary stage."""

    max_cut: float = threshold(
        0.8,
        "Highest probability, 0..1, that a word is cut at the start or end of the utterance",
        score="boundary.cut",
        rejects=">",
        ge=0,
        le=1,
    )


class Boundary(Stage):
    """Scores each live segment."""

    name = "boundary"
    section = BoundaryConfig
    after = "diarize"
    scores = (
        Score("boundary.start", "1", "probability that a word is cut at the start of the utterance"),
        Score("boundary.end", "1", "probability that a word is cut at its end"),
        Score("boundary.cut", "1", "the higher of the two"),
    )

    def __init__(self, config: BoundaryConfig | None = None) -> None:
        self.config = config or BoundaryConfig()

    def process(self, batch: Sequence[Recording]) -> None:
        """Write the scores; the verdict follows from `max_cut` later."""
        for recording in batch:
            for segment in recording.live_segments:
                wave = segment.audio if segment.audio is not None else recording.slice(segment.start, segment.end)
                start, end = cut_probabilities(wave)
                segment.scores |= {"boundary.start": start, "boundary.end": end, "boundary.cut": max(start, end)}


def cut_probabilities(wave: Wave) -> tuple[float, float]:
    """The probabilities, 0..1, that a word is cut at the start and at the end of the utterance, shape (samples,)."""
    start, end = edge_levels(wave)
    return _logistic(start), _logistic(end)


def edge_levels(wave: Wave) -> tuple[float, float]:
    """Level of both edges, 0 at the noise floor and 1 at the speech level. An empty or silent wave has 0 and 0."""
    energy = frame_energy(wave)
    if not len(energy) or energy.max() <= energy.min():
        return 0.0, 0.0
    speech = float(np.quantile(energy, 0.9))
    floor = max(float(np.quantile(energy, 0.05)), speech - MAX_RANGE_DB)
    span = max(speech - floor, MIN_RANGE_DB)
    return (_mean_db(energy[:EDGE_FRAMES]) - floor) / span, (_mean_db(energy[-EDGE_FRAMES:]) - floor) / span


def _mean_db(levels: "np.typing.NDArray[np.float64]") -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def _logistic(level: float) -> float:
    return 1 / (1 + math.exp(-SLOPE * (level - OFFSET)))
