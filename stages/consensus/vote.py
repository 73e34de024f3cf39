"""One text out of several hypotheses, with casing and punctuation kept.

`mbr`: minimum Bayes risk; the hypothesis with the fewest expected word errors when each other hypothesis is taken as
the reference with its weight (Goel and Byrne 2000).
`vote`: after ROVER (Fiscus 1997); the other hypotheses are aligned with the MBR choice, and at each place the words (or
their absence) win by the sum of their weights. Words are compared as pWER compares them, without casing and
punctuation, and what one system writes as one word ("sixty-five", "didn't") is one unit in all: "sixty five" wins or
loses as a whole, so that the text never holds half of it. The winner is written as the MBR choice writes it, so that
marks and capitals fit together, or, where that has another word or has no marks and capitals at all, as the system with
the highest weight.

The weight of a hypothesis is that of its system (1 unless `curation consensus fit` learned another) times 0.5 to 1 by
its confidence. Ties, whatever the number of systems: the MBR choice is the hypothesis of the higher weight, then of
the earlier system; in the vote the word of the MBR choice wins, then the word of the single hypothesis with the highest
weight, then that of the earlier system. Earlier: in the order of the configuration.
"""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from curation.manifests.records import Hypothesis
from curation.text.normalize import Normalizer, Span, merged, without_tags

Method = Literal["vote", "mbr"]


Tokens = tuple[str, ...]
Distances = npt.NDArray[np.int64]
"""(N, N) edit distances between the words of N hypotheses."""
LONGEST_WORD = 40
"""Letters of a word that another text may have in parts."""


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
    """What one system has at one place: `key` is compared, `surface` is written; both empty: nothing here."""

    key: tuple[str, ...]
    surface: str
    number: bool
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
    spans = common_units([normalizer.spans(hypotheses[place].text) for place in order], normalizer)
    voters = [(weights[place], _styled(hypotheses[place].text)) for place in order]
    places = _whole_numbers(_places(spans, voters), normalizer.join)
    winners = [_winner(ballots) for ballots in places]
    support = sum(share for _, share in winners) / len(winners) if winners else 1.0
    voted = normalizer.joined(surface for surface, _ in winners)
    confidence = support * _mean_confidence(hypotheses, weights)
    # Marks of one system beside a number of another can be another number: "ok -" and "5".
    heard = {number for item in hypotheses for number in _numbers(normalizer.spans(item.text))}
    kept = method == "vote" and _numbers(normalizer.spans(voted)) <= heard
    return Combined(voted if kept else without_tags(hypotheses[best].text), confidence, support)


def _numbers(spans: Sequence[Span]) -> set[Tokens]:
    return {span.key for span in spans if span.number}


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


def common_units(texts: Sequence[Sequence[Span]], normalizer: Normalizer) -> list[list[Span]]:
    """The spans of each text, where what another text writes as one word is one.

    "Did not" is one unit where another has "didn't", and parts are a word where another has it: U S, U.S. and US;
    web site, e-mail and website, email.
    """
    every = [span for spans in texts for span in spans]
    compounds = {span.key for span in every if len(span.key) > 1}
    words: set[str] = set()
    if normalizer.unit == "word":
        words = {span.key[0] for span in every if len(span.key) == 1 and 1 < len(span.key[0]) <= LONGEST_WORD}
        words = {word for word in words if word.isalpha()}
    return [_regrouped(spans, compounds, words, normalizer.join) for spans in texts]


def _regrouped(spans: Sequence[Span], compounds: Collection[Tokens], words: Collection[str], join: str) -> list[Span]:
    """Spans that together have the key of a compound, or the letters of a word, are one, the longest first; it is
    compared as the compound or word is.
    """
    longest, letters = max(map(len, compounds), default=0), max(map(len, words), default=0)
    units: list[Span] = []
    start = 0
    while start < len(spans):
        key: Tokens = ()
        found, best, size = spans[start].key, start + 1, 0
        for end in range(start + 1, len(spans) + 1):
            key += spans[end - 1].key
            size += sum(map(len, spans[end - 1].key))
            if len(key) > longest and size > letters:
                break
            joined = "".join(key) if size <= letters else ""
            if joined in words:
                best, found = end, (joined,)
            elif key in compounds:
                best, found = end, key
        unit = spans[start] if best == start + 1 else merged(spans[start:best], join)
        units.append(unit if unit.key == found else Span(unit.written, found, found, unit.number))
        start = best
    return units


def _styled(text: str) -> bool:
    return text != text.lower() or any(unicodedata.category(character)[0] == "P" for character in text)


def _places(texts: Sequence[Sequence[Span]], voters: Sequence[tuple[float, bool]]) -> list[list[_Ballot]]:
    """The ballots at each place of the alignment with the first hypothesis, in the order of the text.

    Words that others have between two words of the first form separate places, counted back from the second of the two.
    """
    slots: dict[tuple[int, int], dict[int, Span]] = {}
    for place, span in enumerate(texts[0]):
        slots[place, 0] = {0: span}
    for system, spans in enumerate(texts[1:], start=1):
        for slot, span in _aligned(texts[0], spans):
            slots.setdefault(slot, {})[system] = span
    nothing = Span("", (), ())

    def ballot(span: Span, voter: tuple[float, bool]) -> _Ballot:
        return _Ballot(span.key, span.written, span.number, *voter)

    return [
        [ballot(found.get(system, nothing), voter) for system, voter in enumerate(voters)]
        for _, found in sorted(slots.items())
    ]


def _aligned(skeleton: Sequence[Span], spans: Sequence[Span]) -> list[tuple[tuple[int, int], Span]]:
    """(slot, span) of each span: slot (p, 0) is skeleton span p; (p, -k) are places for spans before it."""
    aligned = []
    for step in Levenshtein.opcodes([span.key for span in skeleton], [span.key for span in spans]):
        count = step.dest_end - step.dest_start
        for offset in range(count):
            inserted = step.tag == "insert"
            slot = (step.src_start, offset - count) if inserted else (step.src_start + offset, 0)
            aligned.append((slot, spans[step.dest_start + offset]))
    return aligned


def _whole_numbers(places: Sequence[list[_Ballot]], join: str) -> list[list[_Ballot]]:
    """Neighbouring places with different ballots are one, with each system's stretch, where a number is among them.

    In "sixty-five people", "sixty fine people", "sixty wine people" no place alone tells which words make the number.
    """
    merged: list[list[_Ballot]] = []
    for disputed, group in groupby(places, lambda ballots: len({ballot.key for ballot in ballots}) > 1):
        stretch = list(group)
        if disputed and any(ballot.number for ballots in stretch for ballot in ballots):
            merged.append([_joined(ballots, join) for ballots in zip(*stretch, strict=True)])
        else:
            merged += stretch
    return merged


def _joined(ballots: Sequence[_Ballot], join: str) -> _Ballot:
    """The ballots of one system at several places as one."""
    key = tuple(token for ballot in ballots for token in ballot.key)
    surface = join.join(ballot.surface for ballot in ballots if ballot.surface)
    return _Ballot(key, surface, any(ballot.number for ballot in ballots), ballots[0].weight, ballots[0].styled)


def _winner(ballots: Sequence[_Ballot]) -> tuple[str, float]:
    """(surface, share of the weights) of the winning key; the first ballot is the MBR choice's."""
    totals: dict[tuple[str, ...], float] = {}
    heaviest: dict[tuple[str, ...], float] = {}
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
