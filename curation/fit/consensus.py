"""Learns the consensus from utterances with references: weights of the systems, and the calibrated confidence.

Everything is judged by cross-validation that never splits a group (a speaker, or a recording), and the weights of the
systems are only used if they make fewer errors on groups that they were not learned from.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from curation.fit.reliability import Logistic, Outcome, Vector, fit_logistic
from curation.manifests.records import Hypothesis
from curation.stages.consensus.agreement import agree, at_all_speeds, edit_distances, pairwise_wer
from curation.stages.consensus.confidence import FEATURES, Calibration
from curation.stages.consensus.vote import Distances, Method, combine
from curation.text.normalize import Normalizer, normalizer_for

GRID = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Weights that are tried for each system."""
FOLDS = 5
WHOLE_SHARE = 0.8
"""Share of an utterance's weight that falls on its full set of systems when the confidence is fitted."""


@dataclass(frozen=True, slots=True)
class ReferenceUtterance:
    """An utterance with its reference transcript. `hypotheses` are those without an error."""

    id: str
    group: str
    seconds: float
    language: str
    hypotheses: list[Hypothesis]
    reference: str
    weight: float = 1.0
    """How many utterances it stands for, in a sample that is drawn by strata; 1 on average."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The fit, and its quality on unseen groups."""

    calibration: Calibration
    equal_errors: float
    """Word errors of the final text with equal weights; and with weights learned on the other groups."""
    learned_errors: float
    words: float
    outcome: Outcome
    """Of the text with the weights that were chosen."""
    predicted: Vector
    """(utterances,) calibrated confidence, cross-validated."""
    plain: Vector
    """(utterances,) `confidence` as it is without calibration."""
    pwer: Vector
    """(utterances,) NaN where fewer than two systems answered."""


@cache
def _normalizer(language: str) -> Normalizer:
    """The normaliser of a language, cached: the same texts recur for every subset and weight."""
    normalizer = normalizer_for(language)
    return Normalizer(normalizer.name, normalizer.unit, lru_cache(maxsize=100_000)(normalizer.spans))


def fit_consensus(
    utterances: Sequence[ReferenceUtterance],
    method: Method = "vote",
    about: str = "",
    weights: Mapping[str, float] | None = None,
) -> Fitted:
    """Learn from labelled utterances with at least one hypothesis and one reference word each.

    `weights` of the systems are learned where they are not given; a text that is published already keeps its own.
    """
    folds = folds_of([item.group for item in utterances])
    cases = [Case.of(item) for item in utterances]
    equal = sum(case.cost({}, method) for case in cases)
    learned = sum(
        case.cost(used, method)
        for train, test in folds
        for used in [learn_weights([cases[i] for i in train], method) if weights is None else weights]
        for case in (cases[i] for i in test)
    )
    if weights is None:
        weights = learn_weights(cases, method) if learned < equal else {}
    rows = [evidence_rows(item, weights, method) for item in utterances]
    predicted = np.zeros(len(utterances))
    for train, test in folds:
        model = fit_rows([rows[i] for i in train])
        predicted[test] = model.predict(np.stack([rows[i].whole for i in test]))
    calibration = to_calibration(fit_rows(rows), weights, about)
    return Fitted(
        calibration,
        equal,
        learned,
        sum(case.item.weight * len(case.reference) for case in cases),
        outcome_of(utterances, weights, method),
        predicted,
        np.array([row.plain for row in rows]),
        np.array([row.pwer for row in rows]),
    )


def folds_of(groups: Sequence[str]) -> list[tuple[list[int], list[int]]]:
    """(train, test) indices of up to `FOLDS` folds; a group is in one fold only. One group alone is split evenly."""
    names = sorted(set(groups), key=lambda name: (-groups.count(name), name))
    place = {name: number % FOLDS for number, name in enumerate(names)}
    folds = [place[group] if len(names) > 1 else number % FOLDS for number, group in enumerate(groups)]
    return [
        (
            [i for i, other in enumerate(folds) if other != fold],
            [i for i, other in enumerate(folds) if other == fold],
        )
        for fold in sorted(set(folds))
    ]


@dataclass(frozen=True)
class Case:
    """A labelled utterance prepared for many votes."""

    item: ReferenceUtterance
    reference: list[str]
    distances: Distances
    disputed: bool
    """False where all systems say the same, so that no weight matters."""
    cached: dict[tuple[Method, tuple[float, ...]], int] = field(default_factory=dict)
    """Errors by the weights of its systems: the searches of all folds begin with the same ones."""

    @classmethod
    def of(cls, item: ReferenceUtterance) -> "Case":
        """Normalise and compare once."""
        normalizer = _normalizer(item.language)
        units = [normalizer.units(hypothesis.text) for hypothesis in item.hypotheses]
        distances = edit_distances(units)
        return cls(item, normalizer.units(item.reference), distances, bool(distances.any()))

    def errors(self, weights: Mapping[str, float], method: Method) -> int:
        """Word errors of the combined text."""
        key = method, tuple(weights.get(item.system, 1.0) for item in self.item.hypotheses)
        if key not in self.cached:
            normalizer = _normalizer(self.item.language)
            text = combine(self.item.hypotheses, self.distances, normalizer, method, weights).text
            self.cached[key] = Levenshtein.distance(self.reference, normalizer.units(text))
        return self.cached[key]

    def cost(self, weights: Mapping[str, float], method: Method) -> float:
        """The errors, as often as the utterance stands for."""
        return self.item.weight * self.errors(weights, method)


def learn_weights(cases: Sequence[Case], method: Method) -> dict[str, float]:
    """One weight for each system: a search along one system after the other for the fewest word errors.

    It starts from equal weights, and a weight moves only for at least one error less.
    """
    disputed = [case for case in cases if case.disputed]
    names = sorted({item.system for case in cases for item in case.item.hypotheses})
    weights = dict.fromkeys(names, 1.0)
    least = sum(case.cost(weights, method) for case in disputed)
    for _ in range(3):
        before = least
        for name, value in itertools.product(names, GRID):
            tried = {**weights, name: value}
            errors = sum(case.cost(tried, method) for case in disputed)
            if errors <= least - 1:
                least, weights = errors, tried
        if least == before:
            break
    return weights


@dataclass(frozen=True, slots=True)
class Rows:
    """The data for fitting the confidence, of one utterance."""

    whole: Vector
    """(features,) with all of its systems."""
    parts: Vector
    """(subsets, features) with fewer systems, down to one: builds have any number of them."""
    right: float
    parts_right: Vector
    words: float
    """Of the reference, as often as it stands for: long utterances count more, as they do in a WER."""
    plain: float
    pwer: float


def evidence_rows(item: ReferenceUtterance, weights: Mapping[str, float], method: Method) -> Rows:
    """Features and share of right words with all systems and with every subset of them."""
    normalizer = _normalizer(item.language)
    reference = normalizer.units(item.reference)

    def look(hypotheses: Sequence[Hypothesis]) -> tuple[Any, float]:
        found = agree(at_all_speeds(hypotheses), normalizer, item.seconds, method, weights)
        errors = Levenshtein.distance(reference, normalizer.units(found.combined.text))
        return found, max(0.0, 1 - errors / max(len(reference), 1))

    found, right = look(item.hypotheses)
    count = len(item.hypotheses)
    subsets = [part for size in range(1, count) for part in itertools.combinations(item.hypotheses, size)]
    looked = [look(part) for part in subsets]
    return Rows(
        np.array(found.evidence),
        np.array([part.evidence for part, _ in looked]).reshape(-1, len(FEATURES)),
        right,
        np.array([value for _, value in looked]),
        item.weight * len(reference),
        found.combined.confidence,
        pairwise_wer(found.rates) if count > 1 else np.nan,
    )


def fit_rows(rows: Sequence[Rows]) -> Logistic:
    """The confidence over all utterances; each counts by its words, whatever the number of its subsets."""
    features = np.concatenate([np.stack([row.whole for row in rows]), *[row.parts for row in rows]])
    observed = np.concatenate([[row.right for row in rows], *[row.parts_right for row in rows]])
    weights = np.array([row.words for row in rows]) / np.mean([row.words for row in rows])
    counts = np.array([len(row.parts) for row in rows])
    whole = np.where(counts > 0, WHOLE_SHARE, 1.0) * weights
    part = (1 - WHOLE_SHARE) * weights / np.maximum(counts, 1)
    return fit_logistic(features, observed, np.concatenate([whole, np.repeat(part, counts)]))


def to_calibration(model: Logistic, weights: Mapping[str, float], about: str) -> Calibration:
    """The content of the file, rounded."""

    def rounded(values: Vector) -> list[float]:
        return [float(f"{value:.6g}") for value in values]

    return Calibration(
        about=about,
        weights=dict(weights),
        features=list(FEATURES),
        mean=rounded(model.mean),
        scale=rounded(model.scale),
        coefficients=rounded(model.coefficients),
        intercept=float(f"{model.intercept:.6g}"),
    )


def outcome_of(utterances: Sequence[ReferenceUtterance], weights: Mapping[str, float], method: Method) -> Outcome:
    """Final texts against references."""
    cases = [Case.of(item) for item in utterances]
    return Outcome(
        np.array([item.seconds for item in utterances]),
        np.array([float(case.errors(weights, method)) for case in cases]),
        np.array([float(len(case.reference)) for case in cases]),
        np.array([item.weight for item in utterances]),
    )
