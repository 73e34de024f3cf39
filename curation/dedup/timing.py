"""Whether two utterances say the same words at the same moments, but for where they begin and how fast they go.

A copy that was cut, sped up or made noisy has its words at `begin + times of the other / speed`, up to the error of the
aligner. Another take has not, even where the same person says the same sentence: each word takes a little longer or
shorter. A synthetic voice at another rate may have.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import LCSseq

Floats = npt.NDArray[np.float64]
LEAST_WORDS = 5
"""In common: a person says four words twice in one rhythm now and then."""
LEAST_SHARE = 0.5
"""Of the words of the shorter utterance, in common: an advertisement that both hold makes no copy."""
LEAST_APART = 0.2
"""Of the stretch that the words in common take: pairs of times that are so far apart tell the speed."""
MOST = 75
"""Per cent of the times that count: some words are others, or the aligner was wrong."""


class Timing(NamedTuple):
    """How the word times of two utterances go together."""

    rhythm_ms: float
    """By how much the words in common begin and end too early or too late at most, for three in four of these times;
    in the time of the faster utterance, to a tenth: aligners have steps of 10 or 20 ms.
    """
    speed: float
    """Of the second one; of the first: 1."""


def timing(
    words: tuple[Sequence[int], Sequence[int]], times: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
) -> Timing | None:
    """See `Timing`; None where they have fewer words in common than it takes, or these are all at once.

    `times`, (words, 2), are start and end of each word in seconds.
    """
    common = [
        pair
        for part in LCSseq.opcodes(*words)
        if part.tag == "equal"
        for pair in zip(range(part.src_start, part.src_end), range(part.dest_start, part.dest_end), strict=True)
    ]
    if len(common) < max(LEAST_WORDS, LEAST_SHARE * min(map(len, words))):
        return None
    places = np.array(common).T
    one, two = (known[place].ravel().astype(np.float64) for known, place in zip(times, places, strict=True))
    slope = _slope(one, two)
    if not slope > 0:
        return None
    rest = two - slope * one
    off = float(np.percentile(np.abs(rest - np.median(rest)), MOST))
    return Timing(round(1000 * off / max(slope, 1.0), 1), 1 / slope)


def _slope(one: Floats, two: Floats) -> float:
    """Of the line through them: the median over pairs of words (Theil 1950, Sen 1968); 0 where there is none."""
    first, second = np.triu_indices(len(one), 1)
    apart = one[second] - one[first]
    far = apart > LEAST_APART * np.ptp(one)
    return float(np.median((two[second] - two[first])[far] / apart[far])) if far.any() else 0.0
