"""How far hypotheses of one utterance are apart, in words, and what they say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from curation.manifests.records import Hypothesis
from curation.stages.consensus.confidence import evidence
from curation.stages.consensus.vote import Combined, Distances, Method, combine, common_units
from curation.text.normalize import Normalizer

Rates = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The combined hypotheses of one utterance."""

    combined: Combined
    words: int
    """Of the text, after normalisation."""
    rates: Rates
    """(N, N), as `word_error_rates` gives them."""
    evidence: tuple[float, ...]
    """Features of the calibrated confidence."""


def agree(
    answered: Sequence[Hypothesis],
    normalizer: Normalizer,
    seconds: float,
    method: Method = "vote",
    system_weights: Mapping[str, float] | None = None,
) -> Agreement:
    """Compare and combine hypotheses without errors; each edit distance is computed once per unordered pair."""
    units = units_of([hypothesis.text for hypothesis in answered], normalizer)
    distances = edit_distances(units)
    combined = combine(answered, distances, normalizer, method, system_weights)
    words = len(normalizer.units(combined.text))
    rates = _rates(distances, [len(item) for item in units])
    return Agreement(combined, words, rates, evidence(answered, combined, words, seconds))


def units_of(texts: Sequence[str], normalizer: Normalizer) -> list[list[str]]:
    """The words (or characters) of each text that count, cut where all texts can be cut."""
    spans = common_units([normalizer.spans(text) for text in texts], normalizer)
    return [[token for span in text for token in span.tokens] for text in spans]


def at_all_speeds(answered: Sequence[Hypothesis]) -> list[Hypothesis]:
    """The hypotheses, or those of one system at all speeds."""
    if len(answered) != 1:
        return list(answered)
    (alone,) = answered
    return [alone, *(replace(alone, text=text) for text in alone.variants)]


def edit_distances(units: Sequence[Sequence[str]]) -> Distances:
    """(N, N) symmetric: edit distance in words between hypotheses."""
    distances = np.zeros((len(units), len(units)), np.int64)
    for i, first in enumerate(units):
        for j in range(i):
            distances[i, j] = distances[j, i] = Levenshtein.distance(first, units[j])
    return distances


def word_error_rates(units: Sequence[Sequence[str]]) -> Rates:
    """(N, N): WER of hypothesis j against reference i."""
    return _rates(edit_distances(units), [len(item) for item in units])


def _rates(distances: Distances, lengths: Sequence[int]) -> Rates:
    words = np.asarray(lengths, dtype=np.int64)[:, None]
    return np.where(words > 0, distances / np.maximum(words, 1), distances > 0)


def pairwise_wer(rates: Rates) -> float:
    """pWER, the mean of the N (N - 1) rates off the diagonal. Raises ValueError for fewer than two hypotheses."""
    count = len(rates)
    if count < 2:
        msg = f"pWER needs two hypotheses or more, got {count}"
        raise ValueError(msg)
    return float(rates.sum() / (count * (count - 1)))


def outlier(rates: Rates) -> tuple[int, float]:
    """(system, margin): the one farthest from the others, and by how much its mean WER to them exceeds their own pWER.

    Ties go to the first. Raises ValueError for fewer than three hypotheses: of two, neither is the outlier.
    """
    count = len(rates)
    if count < 3:
        msg = f"an outlier needs three hypotheses or more, got {count}"
        raise ValueError(msg)
    sums = rates.sum(axis=0) + rates.sum(axis=1)
    odd = int(np.round(sums, 9).argmax())
    others = (rates.sum() - sums[odd]) / ((count - 1) * (count - 2))
    return odd, float(sums[odd] / (2 * (count - 1)) - others)
