"""One text out of several hypotheses, with casing and punctuation kept.

`mbr`: minimum Bayes risk; the hypothesis with the fewest expected word errors when each other hypothesis is taken as
the reference with its weight (Goel and Byrne 2000).
`vote`: after ROVER (Fiscus 1997); the other hypotheses are aligned with the MBR choice, and at each place the words (or
their absence) win by the sum of their weights. Words are compared without casing and punctuation. The winner is written
as the MBR choice writes it, so that marks and capitals fit together, or, where that has another word or has no marks
and capitals at all, as the system with the highest weight.

The weight of a hypothesis is that of its system (1 unless `curation consensus fit` learned another) times 0.5 to 1 by
its confidence. Ties, whatever the number of systems: the MBR choice is the hypothesis of the higher weight, then of
the earlier system; in the vote the word of the MBR choice wins, then the word of the single hypothesis with the highest
weight, then that of the earlier system. Earlier: in the order of the configuration.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from curation.manifests.records import Hypothesis
from curation.text.normalize import Normalizer

Method = Literal["vote", "mbr"]


Distances = npt.NDArray[np.int64]
"""(N, N) edit distances between the words of N hypotheses."""


@dataclass(frozen=True, slots=True)
class Combined:
    """A text, and its support by the systems."""

    text: str
    confidence: float
    """0..1: `support` x mean confidence of the systems. Not calibrated."""
    support: float
    """0..1: share of the weights for the winning word, the mean over all places of the vote."""


@dataclass(frozen=True, slots=True)
class _Ballot:
    """The word of one system at one place: `key` is compared, `surface` is written; both empty: nothing here."""

    key: str
    surface: str
    weight: float
    styled: bool
    """True where the system writes marks or capitals at all."""


def combine(
    hypotheses: Sequence[Hypothesis],
    distances: Distances,
    normalizer: Normalizer,
    method: Method,
    system_weights: Mapping[str, float] | None = None,
) -> Combined:
    """Combine hypotheses (without errors) with the distances between their normalised words.

    Systems that `system_weights` does not name have the weight 1. No hypotheses: an empty text.
    """
    if not hypotheses:
        return Combined("", 0.0, 0.0)
    known = system_weights or {}
    weights = [known.get(item.system, 1.0) * confidence_weight(item.confidence) for item in hypotheses]
    best = minimum_risk(distances, weights)
    order = [best, *(place for place in range(len(hypotheses)) if place != best)]
    join = "" if normalizer.unit == "character" else " "
    surfaces = [_surface_words(hypotheses[place].text, join, normalizer.key) for place in order]
    voters = [(weights[place], _styled(hypotheses[place].text)) for place in order]
    winners = [_winner(ballots) for ballots in _places(surfaces, voters)]
    support = sum(share for _, share in winners) / len(winners) if winners else 1.0
    voted = join.join(surface for surface, _ in winners if surface)
    confidence = support * _mean_confidence(hypotheses, weights)
    text = voted if method == "vote" else hypotheses[best].text
    return Combined(text, confidence, support)


def minimum_risk(distances: Distances, weights: Sequence[float]) -> int:
    """Index of the hypothesis with the least expected edit distance; ties go to the higher weight, then the first."""
    risks = (np.asarray(weights) @ distances).tolist()
    return min(range(len(weights)), key=lambda place: (round(risks[place], 9), -weights[place], place))


def confidence_weight(confidence: float | None) -> float:
    """0.5 to 1, so that one of several equal systems, however confident, never outvotes two that agree."""
    return 0.5 + 0.5 * (confidence or 0.0)


def _mean_confidence(hypotheses: Sequence[Hypothesis], weights: Sequence[float]) -> float:
    """Weighted mean over the systems that give a confidence; 1 where none does."""
    given = [(item.confidence, weight) for item, weight in zip(hypotheses, weights, strict=True)]
    known = [(confidence, weight) for confidence, weight in given if confidence is not None]
    if not known:
        return 1.0
    return sum(confidence * weight for confidence, weight in known) / sum(weight for _, weight in known)


def _surface_words(text: str, join: str, key_of: Callable[[str], str]) -> list[tuple[str, str]]:
    """(key, surface) of each written word or character; isolated marks join the word before them."""
    pieces = text.split() if join else list(text)
    words: list[tuple[str, str]] = []
    for piece in pieces:
        key = key_of(piece)
        if key or not words:
            words.append((key, piece))
        else:
            words[-1] = (words[-1][0], words[-1][1] + join + piece)
    return words


def _styled(text: str) -> bool:
    return text != text.lower() or any(unicodedata.category(character)[0] == "P" for character in text)


def _places(surfaces: Sequence[list[tuple[str, str]]], voters: Sequence[tuple[float, bool]]) -> list[list[_Ballot]]:
    """The ballots at each place of the alignment with the first hypothesis, in the order of the text.

    Words that others have between two words of the first form separate places, counted back from the second of the two.
    """
    skeleton = [key for key, _ in surfaces[0]]
    slots: dict[tuple[int, int], dict[int, tuple[str, str]]] = {}
    for place, word in enumerate(surfaces[0]):
        slots[place, 0] = {0: word}
    for system, words in enumerate(surfaces[1:], start=1):
        for slot, word in _aligned(skeleton, words):
            slots.setdefault(slot, {})[system] = word
    nothing = ("", "")
    return [
        [_Ballot(*found.get(system, nothing), *voter) for system, voter in enumerate(voters)]
        for _, found in sorted(slots.items())
    ]


def _aligned(skeleton: list[str], words: list[tuple[str, str]]) -> list[tuple[tuple[int, int], tuple[str, str]]]:
    """(slot, word) of each word: slot (p, 0) is skeleton word p; (p, -k) are places for words before it."""
    aligned = []
    for step in Levenshtein.opcodes(skeleton, [key for key, _ in words]):
        count = step.dest_end - step.dest_start
        for offset in range(count):
            inserted = step.tag == "insert"
            slot = (step.src_start, offset - count) if inserted else (step.src_start + offset, 0)
            aligned.append((slot, words[step.dest_start + offset]))
    return aligned


def _winner(ballots: Sequence[_Ballot]) -> tuple[str, float]:
    """(surface, share of the weights) of the winning key; the first ballot is the MBR choice's."""
    totals: dict[str, float] = {}
    heaviest: dict[str, float] = {}
    for ballot in ballots:
        totals[ballot.key] = totals.get(ballot.key, 0.0) + ballot.weight
        heaviest[ballot.key] = max(heaviest.get(ballot.key, 0.0), ballot.weight)
    if len(totals) == 1:
        key = ballots[0].key
    else:
        # Keys are in the order of the systems, and `max` gives the first of equals.
        key = max(totals, key=lambda item: (round(totals[item], 9), item == ballots[0].key, round(heaviest[item], 9)))
    same = [ballot for ballot in ballots if ballot.key == key]
    written = max(same, key=lambda ballot: (ballot.styled, ballot is ballots[0], ballot.weight))
    return written.surface, totals[key] / sum(totals.values())
