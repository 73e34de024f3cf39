"""Whether a score is calibrated and selects well: logistic fit, reliability table, kept hours.

The observed value of an utterance is its share of right words, max(0, 1 - WER).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Edges of the reliability table: finer where thresholds are set."""
PENALTY = 5.0
"""Of the squared coefficients, against the log likelihood of all utterances."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """Coefficients over standardised features; NaN counts as the mean."""

    mean: Vector
    scale: Vector
    coefficients: Vector
    intercept: float

    def predict(self, features: Vector) -> Vector:
        """(rows,) expected share of right words for (rows, features)."""
        return _sigmoid(_standardised(features, self.mean, self.scale) @ self.coefficients + self.intercept)


def fit_logistic(features: Vector, observed: Vector, weights: Vector) -> Logistic:
    """Penalised quasi-likelihood fit of shares 0..1 by Newton's method.

    `features` (rows, features) may hold NaN; `observed` and `weights` are (rows,).
    """
    known = ~np.isnan(features)
    counts = np.maximum((known * weights[:, None]).sum(axis=0), 1e-9)
    mean = np.where(known, features, 0.0).T @ weights / counts
    spread = np.where(known, features - mean, 0.0) ** 2
    scale = np.sqrt(spread.T @ weights / counts)
    scale[scale < 1e-6] = 1.0
    design = np.column_stack([_standardised(features, mean, scale), np.ones(len(features))])
    penalty = np.diag([PENALTY] * features.shape[1] + [1e-6])
    solution = np.zeros(design.shape[1])
    for _ in range(50):
        predicted = _sigmoid(design @ solution)
        slope = design.T @ (weights * (observed - predicted)) - penalty @ solution
        curvature = (design * (weights * np.maximum(predicted * (1 - predicted), 1e-6))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, slope)
        # A full step can overshoot where almost all predictions are near 0 or 1.
        solution += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-9))
        if np.abs(step).max() < 1e-6:
            break
    return Logistic(mean, scale, solution[:-1], float(solution[-1]))


def _standardised(features: Vector, mean: Vector, scale: Vector) -> Vector:
    return np.where(np.isnan(features), 0.0, (features - mean) / scale)


def _sigmoid(values: Vector) -> Vector:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))))


@dataclass(frozen=True, slots=True)
class Bin:
    """One row of a reliability table."""

    low: float
    high: float
    count: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Predicted against observed shares of right words."""

    bins: list[Bin]
    expected_error: float
    """ECE: mean over utterances of the distance between predicted and observed in their bin."""
    brier: float
    """Mean squared difference between predicted and observed of each utterance."""


def reliability(predicted: Vector, observed: Vector, weights: Vector | None = None) -> Reliability:
    """All (utterances,); `weights`: how many each stands for. Bins without utterances are left out."""
    times = np.ones(len(predicted)) if weights is None else weights
    places = np.clip(np.searchsorted(BINS, predicted, side="right") - 1, 0, len(BINS) - 2)
    bins, distance = [], 0.0
    for place in range(len(BINS) - 1):
        mine = places == place
        if mine.any():
            means = [float(np.average(values[mine], weights=times[mine])) for values in (predicted, observed)]
            bins.append(Bin(BINS[place], BINS[place + 1], int(mine.sum()), *means))
            distance += float(times[mine].sum()) * abs(means[0] - means[1])
    brier = float(np.average(np.square(predicted - observed), weights=times))
    return Reliability(bins, distance / max(float(times.sum()), 1e-9), brier)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Final texts against references, one entry for each utterance; what filters are compared on."""

    seconds: Vector
    errors: Vector
    words: Vector
    """Of the reference."""
    weights: Vector | None = None
    """How many utterances each stands for; None: one."""

    @property
    def times(self) -> Vector:
        """(utterances,) the weights."""
        return np.ones(len(self.seconds)) if self.weights is None else self.weights

    @property
    def right(self) -> Vector:
        """(utterances,) share of right words, 0..1."""
        return np.maximum(0.0, 1 - self.errors / np.maximum(self.words, 1))


def kept_wer(outcome: Outcome, score: Vector, share: float) -> float:
    """WER of the text that remains where the highest scores are kept up to this share of the seconds.

    Utterances with equal scores are taken in part: the expected value over all orders of a tie.
    """
    lengths = outcome.seconds * outcome.times
    budget = share * lengths.sum()
    order = np.argsort(-score, kind="stable")
    _, first, sizes = np.unique(-score[order], return_index=True, return_counts=True)
    wrong = words = 0.0
    for start, size in zip(first, sizes, strict=True):
        members = order[start : start + size]
        seconds, times = float(lengths[members].sum()), outcome.times[members]
        part = min(1.0, budget / seconds) if seconds else 1.0
        wrong += part * float(outcome.errors[members] @ times)
        words += part * float(outcome.words[members] @ times)
        budget -= part * seconds
        if part < 1 or budget <= 0:
            break
    return wrong / max(words, 1e-9)


def mean_kept_wer(outcome: Outcome, score: Vector, shares: Sequence[float]) -> float:
    """Mean of `kept_wer` over several shares."""
    return float(np.mean([kept_wer(outcome, score, share) for share in shares]))


def bootstrap(
    outcome: Outcome, scores: Sequence[Vector], shares: Sequence[float], groups: Sequence[str], rounds: int
) -> Vector:
    """(rounds, scores): `mean_kept_wer` of each score on resampled groups (all utterances of a group together)."""
    names = np.unique(np.asarray(groups))
    members = [np.flatnonzero(np.asarray(groups) == name) for name in names]
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(rounds):
        rows = np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
        part = Outcome(outcome.seconds[rows], outcome.errors[rows], outcome.words[rows], outcome.times[rows])
        drawn.append([mean_kept_wer(part, score[rows], shares) for score in scores])
    return np.asarray(drawn)
