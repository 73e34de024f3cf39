"""Batches of clips: grouped by length, and recomputed alone where a batch could round differently.

Matrix products round differently for different batch shapes (relative error about 1e-6). A code that wins by less
than `TIE` could therefore depend on the rest of the batch; the clips that hold such a code are computed again
alone, so that ids do not depend on the batch. With random weights of the official sizes that concerned 2 of 12
clips for BiCodec (its 192 rounded scalars a clip) and none for GLM.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

TIE = 1e-5
"""Gap between the best and the second code, relative to the terms of a distance, that rounding cannot close."""


CPU_SECONDS, GPU_SECONDS = 8.0, 240.0
"""Speech in a batch. On a CPU more than this is slower: the arrays outgrow its caches and the allocator's pool."""


def batch_samples(device: str, seconds: float | None) -> int:
    """Give the samples that a batch may hold: `seconds`, or the default of the device."""
    default = CPU_SECONDS if device == "cpu" else GPU_SECONDS
    return int((default if seconds is None else seconds) * SAMPLE_RATE)


def length_buckets(lengths: Sequence[int], budget: int, padding: float = 0.15) -> list[list[int]]:
    """Group indices so that a group's longest x count is within `budget` (or it is one clip) and no member is
    shorter than (1 - padding) x longest. Every index is in one group; longest groups come first.
    """
    buckets: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[buckets[-1][0]] if buckets else 0
        fits = buckets and (len(buckets[-1]) + 1) * longest <= budget
        if fits and lengths[index] >= (1 - padding) * longest:
            buckets[-1].append(index)
        else:
            buckets.append([index])
    return buckets


def run_buckets(
    items: Sequence[Item],
    lengths: Sequence[int],
    budget: int,
    compute: Callable[[list[Item]], list[tuple[Result, bool]]],
) -> list[Result]:
    """Compute all items in batches; results in the order of `items`.

    `compute` gives, for each item of a batch, its result and whether that is beyond rounding errors; items for which it
    is not are recomputed alone.
    """
    results: dict[int, Result] = {}
    for bucket in length_buckets(lengths, budget):
        outcomes = compute([items[index] for index in bucket])
        for index, (result, certain) in zip(bucket, outcomes, strict=True):
            alone = certain or len(bucket) == 1
            results[index] = result if alone else compute([items[index]])[0][0]
    return [results[index] for index in range(len(items))]


def nearest(vectors: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest row of `codebook` (codes, dim) by squared distance, for each of `vectors` (..., dim).

    Returns ids (...) int64 and certain (...) bool: the second nearest is farther by more than rounding.
    """
    norms = codebook.square().sum(1)
    distances = norms - 2 * vectors @ codebook.T  # without the vector's own norm, which all codes share
    best = distances.topk(2, dim=-1, largest=False)
    ids = best.indices[..., 0]
    scale = norms[ids] + 2 * vectors.norm(dim=-1) * norms[ids].sqrt()  # of the two terms that are subtracted
    return ids, (best.values[..., 1] - best.values[..., 0]) > TIE * scale


def check_wave(wave: Wave, minimum: int, tokenizer: str) -> Wave:
    """Give the wave as contiguous float32. Raises DataError if it is not mono and finite, or under `minimum`."""
    wave = np.ascontiguousarray(wave, dtype=np.float32)
    if wave.ndim != 1:
        msg = f"{tokenizer}: expected a mono wave of shape (samples,), got {wave.shape}"
        raise DataError(msg)
    if len(wave) < minimum:
        msg = f"{tokenizer}: a clip of {len(wave)} samples has no tokens; the minimum is {minimum} samples at 16 kHz"
        raise DataError(msg)
    if not np.isfinite(wave).all():
        msg = f"{tokenizer}: the wave holds NaN or infinite samples"
        raise DataError(msg)
    return wave


def pad_stack(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack rows of shape (..., length) with zeros on the right; also their lengths (rows,) int64."""
    lengths = torch.tensor([row.shape[-1] for row in rows])
    if bool((lengths == lengths[0]).all()):
        return torch.stack(list(rows)), lengths
    batch = rows[0].new_zeros(len(rows), *rows[0].shape[:-1], int(lengths.max()))
    for index, row in enumerate(rows):
        batch[index, ..., : row.shape[-1]] = row
    return batch, lengths
