"""Adaptation to a speaker: the affine map of the features under which his speech fits the model best (fMLLR).

Source: Gales, "Maximum likelihood linear transformations for HMM-based speech recognition", 1998; Kaldi,
src/transform/fmllr-diag-gmm.cc; settings as in kalpy 0.10.5, feat/fmllr.py. Not compared with MFA's own.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from curation.stages.punctuate.mfa.direct.kaldi import Floats
from curation.stages.punctuate.mfa.direct.mixtures import Mixtures

MIN_FRAMES = 500
"""Of speech; with less a speaker's features stay as they are."""
ROUNDS = 40

Matrix = npt.NDArray[np.float64]


class Statistics:
    """What the map is estimated from: the features of a speaker, and the Gaussians that they belong to."""

    def __init__(self, unadapted: Mixtures, adapted: Mixtures) -> None:
        self._unadapted, self._adapted = unadapted, adapted
        size = adapted.dimension
        self.frames = 0
        self._linear: Matrix = np.zeros((size, size + 1))
        self._square: Matrix = np.zeros((size, size + 1, size + 1))

    def add(self, features: Floats, densities: npt.NDArray[np.intp]) -> None:
        """Frames of speech, shape (frames, dimension), each with its density, shape (frames,)."""
        means, precisions = self._targets(features, densities)
        extended = np.concatenate([features, np.ones((len(features), 1))], axis=1)
        self.frames += len(features)
        self._linear += means.T @ extended
        for row, weights in enumerate(precisions.T):
            self._square[row] += (extended * weights[:, None]).T @ extended

    def _targets(self, features: Floats, densities: npt.NDArray[np.intp]) -> tuple[Matrix, Matrix]:
        """Of each frame: means times precisions, and precisions, over the Gaussians by their probability."""
        means, precisions = np.zeros(features.shape), np.zeros(features.shape)
        for density in np.unique(densities):
            at = densities == density
            shares = self._unadapted.shares(features[at], int(density))
            rows = slice(self._adapted.starts[density], self._adapted.starts[density + 1])
            means[at] = shares @ self._adapted.scaled_means[rows]
            precisions[at] = shares @ self._adapted.precisions[rows]
        return means, precisions

    def transform(self) -> Matrix | None:
        """The map, shape (dimension, dimension + 1), the last column to be added; None where there is too little."""
        if self.frames < MIN_FRAMES:
            return None
        size = len(self._linear)
        inverses = np.linalg.inv(self._square)
        found: Matrix = np.eye(size, size + 1)
        for _ in range(ROUNDS):
            for row in range(size):
                cofactors = np.append(np.linalg.inv(found[:, :size])[:, row], 0.0)
                found[row] = self._row(inverses[row], cofactors, self._linear[row])
        return found

    def _row(self, inverse: Matrix, cofactors: Matrix, linear: Matrix) -> Matrix:
        """The best row while the others stay: the better solution of a quadratic equation."""
        one, two = cofactors @ inverse @ cofactors, cofactors @ inverse @ linear
        root = np.sqrt(two**2 + 4 * one * self.frames)
        factors = (np.array([root, -root]) - two) / (2 * one)
        gains = self.frames * np.log(np.abs(factors * one + two)) - 0.5 * factors**2 * one
        return np.asarray(inverse @ (factors[gains.argmax()] * cofactors + linear))


def adapted(features: Sequence[Floats], transform: Matrix) -> list[Floats]:
    """Features of a speaker under the map."""
    return [np.asarray(each @ transform[:, :-1].T + transform[:, -1], np.float32) for each in features]
