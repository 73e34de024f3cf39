"""Consensus: how far the ASR systems agree, and one text out of their hypotheses.

GPA (arXiv 2601.10770) keeps an utterance where the average pairwise word error rate of its N hypotheses,
    pWER = 1 / (N (N - 1)) * sum over ordered pairs i != j of WER(y_i, y_j),
is below 0.15. WER(y_i, y_j) takes y_i as the reference: edit distance / words of y_i, so it is not symmetric. With
an empty reference it is 0 if the hypothesis is empty too, else 1. Where all hypotheses are empty pWER is 0, and
`min_words` rejects the utterance; with fewer than two hypotheses there is no pWER, and `min_systems` rejects it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import Field
from rapidfuzz.distance import Levenshtein

from curation.manifests.records import Hypothesis, Recording, Segment
from curation.stages.asr.base import DECIMALS
from curation.stages.base import Stage, StageConfig, threshold
from curation.stages.combination import Method, combine
from curation.stages.normalization import normalizer_for


class ConsensusConfig(StageConfig):
    """How hypotheses become one text, and how far they must agree."""

    combination: Method = Field(
        "vote",
        description="vote: weighted vote word by word; mbr: the hypothesis with the least expected word errors",
    )
    max_pwer: float = threshold(0.15, "kept where the average pairwise WER (scores `pwer`) is below this", ge=0)
    min_words: int = threshold(1, "words (or characters) of the text after normalisation (scores `text.words`)", ge=0)


class Consensus(Stage):
    """Sets text, `pwer`, `confidence` and `text.words` of every live segment."""

    name = "consensus"

    def __init__(self, config: ConsensusConfig | None = None) -> None:
        self.config = config or ConsensusConfig()

    def process(self, batch: Sequence[Recording]) -> None:
        """Compare and combine the hypotheses of each live segment."""
        for recording in batch:
            for segment in recording.live_segments:
                self._agree(segment)

    def _agree(self, segment: Segment) -> None:
        normalizer = normalizer_for(segment.language)
        answered = [hypothesis for hypothesis in segment.hypotheses if not hypothesis.error]
        units = [normalizer.units(hypothesis.text) for hypothesis in answered]
        rates = word_error_rates(units)
        combined = combine(answered, units, normalizer, self.config.combination)
        _store_agreement(segment, answered, rates)
        segment.text = combined.text
        segment.scores["confidence"] = round(combined.confidence, DECIMALS)
        segment.scores["text.words"] = len(normalizer.units(combined.text))
        segment.notes["consensus.normalizer"] = normalizer.name
        segment.notes["consensus.unit"] = normalizer.unit
        segment.notes["consensus.combination"] = self.config.combination


def word_error_rates(units: Sequence[Sequence[str]]) -> npt.NDArray[np.float64]:
    """(N, N): WER of hypothesis j against reference i. Each edit distance is computed once per unordered pair."""
    rates = np.zeros((len(units), len(units)))
    for i, first in enumerate(units):
        for j in range(i):
            distance = Levenshtein.distance(first, units[j])
            rates[i, j] = _rate(distance, len(first))
            rates[j, i] = _rate(distance, len(units[j]))
    return rates


def pairwise_wer(rates: npt.NDArray[np.float64]) -> float:
    """pWER, the mean of the N (N - 1) rates off the diagonal. Raises ValueError for fewer than two hypotheses."""
    count = len(rates)
    if count < 2:
        msg = f"pWER needs two hypotheses or more, got {count}"
        raise ValueError(msg)
    return float(rates.sum() / (count * (count - 1)))


def _rate(distance: int, reference_words: int) -> float:
    if reference_words == 0:
        return float(distance > 0)
    return distance / reference_words


def _store_agreement(segment: Segment, answered: list[Hypothesis], rates: npt.NDArray[np.float64]) -> None:
    """Scores: pWER of all, and of each system with the others (their mean is pWER again), to find the odd one out."""
    for key in [key for key in segment.scores if key == "pwer" or key.startswith("pwer.")]:
        del segment.scores[key]
    count = len(answered)
    segment.scores["pwer.systems"] = count
    if count < 2:
        return
    segment.scores["pwer"] = round(pairwise_wer(rates), DECIMALS)
    for place, hypothesis in enumerate(answered):
        both_ways = rates[place].sum() + rates[:, place].sum()
        segment.scores[f"pwer.{hypothesis.system}"] = round(float(both_ways) / (2 * (count - 1)), DECIMALS)
