"""Boundary: was a word cut at the start or the end of an utterance? Judged by the recording on both sides of the edge.

Source: the GPA paper, section on data curation, which filters mid-word truncation by the energy profile without
details; the score is ours. Speech that goes on across the edge is the definition of a cut, and the recording is there:
`curation.audio.edges` compares the edge with what is around it, as decoded, and a logistic curve turns that into a
probability. The score so depends neither on the noise floor nor on the denoiser. Where a recording (or a span of a long
one) ends at the edge, only the inside can tell, which is weaker evidence. Tried as well, without a gain on recordings
unseen by the fit: the correlation and the flux of the bands across the edge, the shortest dip, nineteen features
together, and boosted trees over all frames.

Coefficients and accuracy come from tests/bench/accuracy/boundary.py: docs/results/2026-11-27-boundary.md.
"""

import math
from collections.abc import Sequence

import numpy as np

from curation.audio.edges import Floats, across, inside
from curation.audio.levels import frame_energy
from curation.audio.wave import Wave
from curation.core.declarations import Score
from curation.core.settings import Section, threshold
from curation.manifests.records import Recording
from curation.stages.base import Stage

ACROSS, ACROSS_OFFSET = (7.71, 0.109, 3.53, 1.48), -2.79
"""Weights of the evidence of `edges.across`, fitted with as many cut edges as whole ones, in noise and beside music."""
INSIDE, INSIDE_OFFSET = (13.1, 3.30), -3.04
"""Of `edges.inside`, with one cut end of a recording for two whole ones: files are mostly cut in pauses."""


class BoundaryConfig(Section):
    """Settings of the boundary stage."""

    max_cut: float = threshold(
        0.5,
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
    after = "quality"
    hears_spans = True
    scores = (
        Score("boundary.start", "1", "probability that a word is cut at the start of the utterance"),
        Score("boundary.end", "1", "probability that a word is cut at its end"),
        Score("boundary.cut", "1", "the higher of the two"),
    )

    def __init__(self, config: BoundaryConfig | None = None) -> None:
        self.config = config or BoundaryConfig()

    def process(self, batch: Sequence[Recording]) -> None:
        """Write the scores; the verdict follows from `max_cut` later. Raises ValueError where the audio is gone."""
        for recording in batch:
            if not recording.live_segments:
                continue
            wave = recording.slice(recording.offset, recording.end, decoded=True)
            for segment in recording.live_segments:
                start, end = cut_probabilities(wave, segment.start - recording.offset, segment.end - recording.offset)
                segment.scores |= {"boundary.start": start, "boundary.end": end, "boundary.cut": max(start, end)}


def cut_probabilities(wave: Wave, start: int = 0, end: int | None = None) -> tuple[float, float]:
    """The probabilities, 0..1, that a word is cut at the start and at the end of an utterance, start..end (samples) of
    the recording `wave`, shape (samples,).
    """
    end = len(wave) if end is None else end
    energy = frame_energy(wave[start:end])
    if not len(energy) or not wave[start:end].any():
        return 0.0, 0.0
    speech = float(np.quantile(energy, 0.9))
    return cut_probability(wave, start, 0, speech), cut_probability(wave, end, 1, speech)


def cut_probability(wave: Wave, at: int, side: int, speech: float) -> float:
    """The probability for one edge; see `edges.across`."""
    evidence = across(wave, at, side, speech)
    if evidence is None:
        return _logistic(inside(wave, at, side, speech), INSIDE, INSIDE_OFFSET)
    return _logistic(evidence, ACROSS, ACROSS_OFFSET)


def _logistic(evidence: Floats, weights: Sequence[float], offset: float) -> float:
    return 1 / (1 + math.exp(-(float(evidence @ np.asarray(weights)) + offset)))
