"""Kaldi's features: mel-frequency cepstra, their mean subtracted, neighbours joined and reduced, or their slopes.

Source: Kaldi, src/feat/{feature-window,mel-computations,feature-mfcc,feature-functions}.cc and
src/matrix/compressed-matrix.cc; settings as in kalpy 0.10.5, feat/mfcc.py. Without dither, so that the same wave gives
the same features.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.kaldi import Floats
from curation.stages.punctuate.mfa.direct.metadata import Metadata

FULL_SCALE = 32768
EPSILON = float(np.finfo(np.float32).eps)
DELTA_WINDOW = 2
"""Frames on both sides of a slope."""
ORDER = 2
"""Slopes, and slopes of slopes."""
STEPS = np.array([64, 128, 63], np.float32)
"""Of the bytes of a column: below its first quartile, between the quartiles, above."""
SHORT = 8
"""Frames that are stored in two bytes, which changes nothing that matters."""
BLOCK = 4096
"""Frames that are transformed at once."""

Matrix = npt.NDArray[np.float64]


def hop(meta: Metadata) -> int:
    """Samples from frame to frame."""
    return int(SAMPLE_RATE * 0.001 * meta.frame_shift_ms)


def window(meta: Metadata) -> int:
    """Samples of a frame."""
    return int(SAMPLE_RATE * 0.001 * meta.frame_length_ms)


def width(meta: Metadata, lda: Floats | None) -> int:
    """Values of a frame. Raises ModelError where the matrix does not fit the cepstra, or cannot be."""
    if meta.splice is None or lda is None:
        return meta.coefficients * (ORDER + 1)
    joined = meta.coefficients * (sum(meta.splice) + 1)
    if lda.shape[1] not in {joined, joined + 1}:
        msg = f"lda.mat takes {lda.shape[1]} values, {sum(meta.splice) + 1} frames have {joined}"
        raise ModelError(msg)
    if not np.isfinite(lda).all():
        msg = "lda.mat has values that are no numbers"
        raise ModelError(msg)
    return len(lda)


def cepstra(wave: Wave, meta: Metadata) -> Floats:
    """Cepstra of a wave that is at least one window long, shape (frames, coefficients)."""
    frames = _frames(np.round(wave.astype(np.float64) * FULL_SCALE), meta)
    parts = [_cepstra(frames[at : at + BLOCK], meta) for at in range(0, len(frames), BLOCK)]
    return as_stored(np.concatenate(parts))


def as_stored(cepstra: Floats) -> Floats:
    """What `mfa align` reads back: it stores cepstra in one byte each, which moves its log-likelihoods by .01 a frame.

    The bytes of a column are spaced evenly between its quantiles 0, 1/4, 3/4 and 1.
    """
    if len(cepstra) <= SHORT:
        return cepstra
    low, high = cepstra.min(), cepstra.max()
    span = high - low if high > low else 1 + abs(high)
    codes = (np.sort(cepstra, axis=0)[[0, len(cepstra) // 4, 3 * (len(cepstra) // 4), -1]] - low) / span * 65535 + 0.499
    corners = codes.astype(np.int32)
    corners[0] = np.minimum(corners[0], 65532)
    for row in (1, 2):
        corners[row] = np.clip(corners[row], corners[row - 1] + 1, 65532 + row)
    corners[3] = np.maximum(corners[3], corners[2] + 1)
    edges = (low + span * np.float32(1 / 65535) * corners).astype(np.float32)
    part = (cepstra >= edges[1]).astype(np.int32) + (cepstra >= edges[2])
    start, end = np.take_along_axis(edges, part, 0), np.take_along_axis(edges, part + 1, 0)
    steps = STEPS[part]
    place = np.clip(np.floor((cepstra - start) / (end - start) * steps + 0.5), 0, steps)
    return np.asarray(start + (end - start) * place / steps)


def features(cepstra: Sequence[Floats], meta: Metadata, lda: Floats | None) -> list[Floats]:
    """Features of all utterances of one speaker, whose mean is taken over all of them; shapes (frames, width)."""
    mean = np.concatenate(cepstra).mean(axis=0, dtype=np.float64) if meta.cmvn else 0.0
    centred = [(each - mean).astype(np.float32) for each in cepstra]
    return [_joined(each, meta.splice, lda) if meta.splice and lda is not None else _slopes(each) for each in centred]


def _frames(samples: Matrix, meta: Metadata) -> Matrix:
    """Overlapping frames, shape (frames, samples of a frame); with `snip_edges` only those inside the wave."""
    step, length = hop(meta), window(meta)
    if meta.snip_edges:
        count = 1 + (len(samples) - length) // step
        before = 0
    else:
        count = (len(samples) + step // 2) // step
        before = length // 2 - step // 2
    after = max(0, (count - 1) * step + length - before - len(samples))
    return sliding_window_view(np.pad(samples, (before, after), mode="symmetric"), length)[::step][:count]


def _cepstra(frames: Matrix, meta: Metadata) -> Floats:
    frames = frames - frames.mean(axis=1, keepdims=True)
    energy = np.square(frames).sum(axis=1)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    size = 1 << (frames.shape[1] - 1).bit_length()
    windowed = (frames - meta.preemphasis * before) * _window(frames.shape[1])
    if not meta.raw_energy:
        energy = np.square(windowed).sum(axis=1)
    power = np.square(np.abs(np.fft.rfft(windowed, size)))[:, : size // 2]
    bands = np.log(np.maximum(power @ _filters(size, meta.mel_bins, meta.low_hz, meta.high_hz), EPSILON))
    found = bands @ _cosines(meta.mel_bins, meta.coefficients, meta.lifter)
    if meta.use_energy:
        floor = max(EPSILON, meta.energy_floor)
        found[:, 0] = np.log(np.maximum(energy, floor))
    return found.astype(np.float32)


@cache
def _window(length: int) -> Matrix:
    """Povey's window: like Hamming's, but zero at both ends."""
    return np.asarray((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))) ** 0.85)


@cache
def _filters(size: int, bins: int, low: float, high: float) -> Matrix:
    """Triangular mel filters, shape (size / 2, bins)."""
    edges = np.linspace(_mel(low), _mel(high), bins + 2)
    mels = _mel(np.arange(size // 2) * SAMPLE_RATE / size)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    return np.asarray(np.maximum(0, np.minimum((mels - left) / (centre - left), (right - mels) / (right - centre))))


def _mel(hertz: npt.ArrayLike) -> Matrix:
    return np.asarray(1127 * np.log1p(np.asarray(hertz, np.float64) / 700))


@cache
def _cosines(bins: int, coefficients: int, lifter: float) -> Matrix:
    """Cosine transform and liftering, shape (bins, coefficients)."""
    order = np.arange(coefficients)
    table = np.sqrt(2 / bins) * np.cos(np.pi / bins * np.outer(np.arange(bins) + 0.5, order))
    table[:, 0] = np.sqrt(1 / bins)
    return np.asarray(table * (1 + 0.5 * lifter * np.sin(np.pi * order / lifter) if lifter else 1))


def _around(cepstra: Floats, left: int, right: int) -> Floats:
    """Each frame with its neighbours, shape (frames, left + 1 + right, coefficients); the ends are repeated."""
    index = np.arange(len(cepstra))[:, None] + np.arange(-left, right + 1)
    return np.asarray(cepstra[np.clip(index, 0, len(cepstra) - 1)])


def _joined(cepstra: Floats, splice: tuple[int, int], lda: Floats) -> Floats:
    joined = _around(cepstra, *splice).reshape(len(cepstra), -1)
    if lda.shape[1] == joined.shape[1] + 1:
        return np.asarray(joined @ lda[:, :-1].T + lda[:, -1])
    return np.asarray(joined @ lda.T)


def _slopes(cepstra: Floats) -> Floats:
    """Cepstra, slopes, and slopes of slopes side by side, shape (frames, 3 x coefficients)."""
    step = np.arange(-DELTA_WINDOW, DELTA_WINDOW + 1, dtype=np.float64)
    kernel = step / np.square(step).sum()
    kernels = [np.ones(1), kernel, np.convolve(kernel, kernel)]
    parts = [
        np.einsum("tkc,k->tc", _around(cepstra, len(each) // 2, len(each) // 2), each.astype(np.float32))
        for each in kernels
    ]
    return np.concatenate(parts, axis=1)
