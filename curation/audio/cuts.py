"""The probability that a word is cut at a place in a recording.

A logistic curve over the evidence of `curation.audio.edges`, which compares the place with what is around it. Where a
recording (or a span of a long one) ends there, only the inside can tell, which is weaker evidence. Tried as well,
without a gain on recordings unseen by the fit: the correlation and the flux of the bands across the edge, the shortest
dip, nineteen features together, and boosted trees over all frames.

Coefficients and accuracy come from tests/bench/accuracy/boundary.py: docs/results/2026-11-27-boundary.md.
"""

import math
from collections.abc import Sequence

import numpy as np

from curation.audio.edges import Floats, across, inside
from curation.audio.levels import frame_energy
from curation.audio.wave import Wave

ACROSS, ACROSS_OFFSET = (7.71, 0.109, 3.53, 1.48), -2.79
"""Weights of the evidence of `edges.across`, fitted with as many cut edges as whole ones, in noise and beside music."""
INSIDE, INSIDE_OFFSET = (13.1, 3.30), -3.04
"""Of `edges.inside`, with one cut end of a recording for two whole ones: files are mostly cut in pauses."""


def cut_probabilities(wave: Wave, start: int = 0, end: int | None = None) -> tuple[float, float]:
    """The probabilities, 0..1, that a word is cut at the start and at the end of an utterance, start..end (samples) of
    the recording `wave`, shape (samples,).
    """
    end = len(wave) if end is None else end
    if not wave[start:end].any():
        return 0.0, 0.0
    speech = speech_level(wave[start:end])
    return cut_probability(wave, start, 0, speech), cut_probability(wave, end, 1, speech)


def speech_level(wave: Wave) -> float:
    """The level (dB) that the loudest tenth of an utterance exceeds."""
    return float(np.quantile(frame_energy(wave), 0.9))


def cut_probability(wave: Wave, at: int, side: int, speech: float) -> float:
    """The probability for one edge; see `edges.across`."""
    evidence = across(wave, at, side, speech)
    if evidence is None:
        return _logistic(inside(wave, at, side, speech), INSIDE, INSIDE_OFFSET)
    return _logistic(evidence, ACROSS, ACROSS_OFFSET)


def _logistic(evidence: Floats, weights: Sequence[float], offset: float) -> float:
    return 1 / (1 + math.exp(-(float(evidence @ np.asarray(weights)) + offset)))
