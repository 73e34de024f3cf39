"""Levels of a wave: energy envelope (dB per 10 ms), the quietest place to cut, peak normalisation, and the last step of
speech that is given out.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave

PEAK = 0.6
"""Peak of published audio, full scale 1 (paper, data pipeline, step 1)."""
HOP = 160
"""Samples between frames (10 ms)."""
WINDOW = 320
"""Samples under the window of a frame (20 ms), centred on the frame's own 10 ms."""

CEILING = 0.995
"""Of speech that is given out, full scale 1: no format rounds it beyond its range."""
CORNER_HZ = 20.0
"""Lower than any voice."""

CONSTANT = 0.08
"""Of the peak. A smaller constant part (8 bits are rounded downwards) rejects nothing, and stays."""

ENERGY_WINDOW = SAMPLE_RATE // 20
"""Samples (50 ms) over which the energy is summed to find a quiet place."""
ENERGY_HOP = SAMPLE_RATE // 100

Levels = npt.NDArray[np.float64]
"""Energy per frame in dB relative to full scale, shape (frames,); digital silence is -100 dB."""


def frame_energy(wave: Wave) -> Levels:
    """Energy of each 10 ms frame, shape (ceil(samples / 160),). At both ends the window is cut, not padded."""
    count = -(-len(wave) // HOP)
    margin = (WINDOW - HOP) // 2
    edges = np.clip(np.arange(count)[:, None] * HOP + [-margin, WINDOW - margin], 0, len(wave))
    total = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    power = (total[edges[:, 1]] - total[edges[:, 0]]) / (edges[:, 1] - edges[:, 0])
    levels: Levels = 10 * np.log10(np.maximum(power, 1e-10))
    return levels


def quietest(audio: Wave, search: int) -> int:
    """Where to cut `audio`: the middle of its quietest 50 ms within the last `search` samples, else its end."""
    tail = audio[max(len(audio) - search, 0) :]
    if len(tail) < ENERGY_WINDOW:
        return len(audio)
    total = np.concatenate([[0.0], np.cumsum(np.square(tail, dtype=np.float64))])
    starts = np.arange(0, len(tail) - ENERGY_WINDOW + 1, ENERGY_HOP)
    energy = total[starts + ENERGY_WINDOW] - total[starts]
    return len(audio) - len(tail) + int(starts[np.argmin(energy)]) + ENERGY_WINDOW // 2


def centred(wave: Wave) -> Wave:
    """Without its constant part, where that is more than `CONSTANT` of its peak; (samples,) float32 -> the same.

    A cheap sound card adds one, which would count as a level that no pause goes below. In less than a second the mean
    is no evidence of one: that stays as it is.
    """
    constant = float(wave.mean(dtype=np.float64)) if len(wave) >= SAMPLE_RATE else 0.0
    if not abs(constant) > CONSTANT * float(np.abs(wave).max(initial=0.0)):
        return wave
    return np.asarray(wave - np.float32(constant), dtype=np.float32)


def peak_normalize(wave: Wave, peak: float = PEAK) -> Wave:
    """Scale so that max|x| is `peak`; silence stays as it is. (samples,) float32 -> the same."""
    loudest = float(np.abs(wave).max(initial=0.0))
    if loudest == 0.0:
        return wave.copy()
    return np.asarray(wave / np.float32(loudest) * np.float32(peak), dtype=np.float32)


def levelled(chunks: Iterable[Wave]) -> Iterator[Wave]:
    """A wave without its constant part, within -CEILING..CEILING, in chunks (samples,) float32 as it comes.

    A high-pass of first order (-3 dB at CORNER_HZ) that goes on from chunk to chunk: they join to what the whole gives
    at once. What goes beyond the ceiling is clipped.
    """
    from scipy.signal import butter, lfilter

    above, below = butter(1, CORNER_HZ, "highpass", fs=SAMPLE_RATE)
    state = np.zeros(1)
    for chunk in chunks:
        kept = chunk
        if len(chunk):
            kept, state = lfilter(above, below, chunk.astype(np.float64), zi=state)
        yield np.clip(kept, -CEILING, CEILING).astype(np.float32)
