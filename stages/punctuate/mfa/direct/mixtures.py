"""Gaussian mixtures with diagonal covariance: the log-likelihood of frames.

Source: Kaldi, src/gmm/diag-gmm.cc and am-diag-gmm.cc.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from curation.stages.punctuate.mfa.direct.kaldi import Floats, Ints, KaldiFile

BLOCK = 256
"""Frames whose Gaussians are computed at once: bounds the memory of long utterances."""


class Mixtures:
    """All densities of a model, their Gaussians one after the other."""

    def __init__(self, file: KaldiFile) -> None:
        file.token("<DIMENSION>")
        self.dimension = file.integer()
        file.token("<NUMPDFS>")
        parts = [_read(file, self.dimension) for _ in range(file.integer())]
        if not parts:
            file.fail("it has no densities")
        self.starts: Ints = np.cumsum([0, *(len(weights) for weights, _, _ in parts)], dtype=np.int32)
        weights, self.scaled_means, self.precisions = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.constants = _constants(weights, self.scaled_means, self.precisions)

    def __len__(self) -> int:
        """The number of densities."""
        return len(self.starts) - 1

    def boost(self, densities: Iterable[int], factor: float) -> None:
        """Multiply the likelihood of some densities."""
        for density in densities:
            self.constants[self.starts[density] : self.starts[density + 1]] += np.float32(math.log(factor))

    def log_likelihoods(self, features: Floats, densities: Sequence[int]) -> Floats:
        """Of each frame under each of the densities, shape (frames, len(densities)); features (frames, dimension)."""
        counts = [int(self.starts[each + 1] - self.starts[each]) for each in densities]
        rows = np.concatenate([np.arange(self.starts[each], self.starts[each + 1]) for each in densities])
        linear, square = self.scaled_means[rows].T, -0.5 * self.precisions[rows].T
        constants, first = self.constants[rows], np.cumsum([0, *counts[:-1]])
        of = np.repeat(np.arange(len(counts)), counts)
        found = np.empty((len(features), len(counts)), np.float32)
        for at in range(0, len(features), BLOCK):
            block = features[at : at + BLOCK]
            each = block @ linear + np.square(block) @ square + constants
            best = np.maximum.reduceat(each, first, axis=1)
            total = np.add.reduceat(np.exp(each - best[:, of]), first, axis=1)
            found[at : at + BLOCK] = best + np.log(total)
        return found

    def shares(self, features: Floats, density: int) -> Floats:
        """The probability of each Gaussian of a density, shape (frames, Gaussians)."""
        rows = slice(self.starts[density], self.starts[density + 1])
        each = features @ self.scaled_means[rows].T - np.square(features) @ (0.5 * self.precisions[rows].T)
        each += self.constants[rows]
        found = np.exp(each - each.max(axis=1, keepdims=True))
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def best(self, features: Floats) -> Floats:
        """Of each frame, the log-likelihood under the best Gaussian of all, weighted, shape (frames,)."""
        found = np.empty(len(features), np.float32)
        for at in range(0, len(features), BLOCK // 4):
            block = features[at : at + BLOCK // 4]
            each = block @ self.scaled_means.T - np.square(block) @ (0.5 * self.precisions.T) + self.constants
            found[at : at + len(block)] = each.max(axis=1)
        return found


def _read(file: KaldiFile, dimension: int) -> tuple[Floats, Floats, Floats]:
    """Weights (n,), means times precisions and precisions (n, dimension)."""
    file.token("<DiagGMM>", "<DiagGMMBegin>")
    if file.token("<GCONSTS>", "<WEIGHTS>") == "<GCONSTS>":
        file.vector()  # computed again
        file.token("<WEIGHTS>")
    weights = file.vector()
    file.token("<MEANS_INVVARS>")
    means = file.matrix()
    file.token("<INV_VARS>")
    precisions = file.matrix()
    file.token("</DiagGMM>", "<DiagGMMEnd>")
    shape = (len(weights), dimension)
    good = len(weights) and means.shape == precisions.shape == shape and np.isfinite(means).all()
    if not good or not (np.isfinite(precisions).all() and (precisions > 0).all() and (weights >= 0).all()):
        file.fail("a density has the wrong shape or impossible values")
    return weights, means, precisions


def _constants(weights: Floats, scaled_means: Floats, precisions: Floats) -> Floats:
    """What does not depend on the frame: log weight and normalisation."""
    wide: npt.NDArray[np.float64] = precisions.astype(np.float64)
    with np.errstate(divide="ignore"):  # a weight of 0 never wins
        logs = np.log(weights.astype(np.float64))
    found = logs - 0.5 * wide.shape[1] * math.log(2 * math.pi) + 0.5 * np.log(wide).sum(axis=1)
    found -= 0.5 * (np.square(scaled_means, dtype=np.float64) / wide).sum(axis=1)
    return np.asarray(found, np.float32)
