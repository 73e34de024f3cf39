"""Replaces speech codes in the model's input by similar-sounding ones; the targets stay.

Another recording of the same sound has other codes: a shift by 10 ms changes nine in ten codes of the compact codec,
mostly to near ones. In a few hours of speech each sequence of codes occurs once, and a model memorises it; with this
noise it does not see the same sequence twice.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from curation.tokenize.base import Vectors
from curation.tokenize.vocabulary import Stream, Vocabulary

NEAREST = 16
"""A code is replaced by one of this many nearest ones."""
STREAMS: tuple[Stream, ...] = ("glm", "semantic")
"""The speaker stays: `global_` is not changed."""
ROWS_AT_ONCE = 1024

Table = npt.NDArray[np.int64]


class CodeNoise:
    """Replaces a share of the speech codes among ids."""

    def __init__(self, share: float, vocabulary: Vocabulary, vectors: Mapping[Stream, Vectors]) -> None:
        """`vectors` are those of the codes of each stream, (codes, any size)."""
        self.share = share
        self._table: Table = np.repeat(np.arange(vocabulary.size)[:, None], NEAREST, axis=1)  # others stay themselves
        for stream in STREAMS:
            start = vocabulary.streams[stream].start
            near = nearest(torch.from_numpy(vectors[stream]), NEAREST)
            self._table[start : start + len(near), : near.shape[1]] = start + near

    def __call__(self, ids: Table, generator: np.random.Generator) -> Table:
        """A copy of ids (tokens,) with other codes in some places."""
        places = np.flatnonzero(generator.random(len(ids)) < self.share)
        noisy = ids.copy()
        noisy[places] = self._table[ids[places], generator.integers(NEAREST, size=len(places))]
        return noisy


def nearest(vectors: torch.Tensor, count: int) -> Table:
    """(codes, count) the codes nearest to each, without itself; fewer columns where there are fewer codes."""
    points, found = vectors.float(), []
    count = min(count, len(points) - 1)
    for start in range(0, len(points), ROWS_AT_ONCE):
        distances = torch.cdist(points[start : start + ROWS_AT_ONCE], points)
        rows = torch.arange(len(distances))
        distances[rows, start + rows] = torch.inf
        found.append(distances.topk(count, largest=False).indices)
    table: Table = torch.cat(found).numpy()
    return table
