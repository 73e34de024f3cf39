"""How good a recording is, from its samples alone: signal-to-noise ratio, bandwidth, clipping.

Accuracies come from tests/bench/accuracy/quality.py (docs/results/2026-11-27-denoising.md).
"""

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave

FRAME, HOP = 512, 256
"""Samples (32 ms, 16 ms) of the spectra."""
BLOCK = 1024
"""Frames that are transformed at once, to save memory."""
BIN_HZ = SAMPLE_RATE / FRAME
LOWEST_BIN = 3
"""94 Hz: below are hum and rumble."""
SMOOTHED = 5
"""Frames (0.1 s) over which power is averaged before its low quantile is taken for noise."""
QUIET_SHARE = 0.1
NOISE_BIAS = 2.1
"""Mean power of steady noise over its smoothed `QUIET_SHARE` quantile, measured on white noise."""
LOWEST_DB, HIGHEST_DB = -10.0, 60.0
"""Signal-to-noise ratios are given from where nothing stands out of the noise (short noise, silence) to where there is
next to none, as with digital silence between words."""
LOUD_SHARE, EDGE_DB = 0.95, 60.0
"""The spectrum ends where the loud frames (this quantile) are so far below their loudest frequency."""
TOP_SHARE, NEAR_TOP, FLAT, RUN, CORNER = 0.999, 0.8, 0.03, 3, 3
"""Clipped: `RUN` samples or more, above `NEAR_TOP` of the level that all but 0.1 % of the samples stay below, each
within `FLAT` of that level from the one before, and beside them a step of more than `CORNER` times the largest between
them: the round top of a low tone (hum) has none. Resampling leaves ripples on what was flat."""

Power = npt.NDArray[np.float32]


def snr_db(wave: Wave) -> float:
    """Signal-to-noise ratio in dB of (samples,) at 16 kHz, from 94 Hz up; -10 to 60, silence has -10.

    Noise is what is left in each frequency in its quietest tenth of the time: steady noise is measured well, other
    voices are not.
    """
    power = spectrogram(wave)[:, LOWEST_BIN:]
    mean = power.mean(axis=0, dtype=np.float64)
    total = np.cumsum(np.pad(power, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
    width = min(SMOOTHED, len(power))
    smooth = (total[width:] - total[:-width]) / width
    noise = np.minimum(NOISE_BIAS * np.quantile(smooth, QUIET_SHARE, axis=0), mean)
    speech = float((mean - noise).sum())
    if speech <= 0:
        return LOWEST_DB
    return float(np.clip(10 * np.log10(speech / max(float(noise.sum()), 1e-30)), LOWEST_DB, HIGHEST_DB))


def bandwidth_hz(wave: Wave) -> float:
    """Upper edge of the spectrum in Hz, at most 8000; silence has 0."""
    power = spectrogram(wave)
    level = 10 * np.log10(np.quantile(power, LOUD_SHARE, axis=0) + 1e-20)
    smooth = np.convolve(np.pad(level, 1, mode="edge"), np.full(3, 1 / 3), "valid")
    if not power.any():
        return 0.0
    return float(np.flatnonzero(smooth > smooth.max() - EDGE_DB)[-1] * BIN_HZ)


def clipped_share(wave: Wave) -> float:
    """Share of the samples, 0..1, where the waveform is flat at its top; of a wave as decoded, not compressed."""
    loud = np.abs(wave)
    top = float(np.quantile(loud, TOP_SHARE)) if len(wave) else 0.0
    if top == 0.0:
        return 0.0
    steps = np.abs(np.diff(wave, prepend=wave[:1], append=wave[-1:]))
    flat = (loud >= NEAR_TOP * top) & (steps[:-1] <= FLAT * top)
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False)).reshape(-1, 2)
    first, last = edges[edges[:, 1] - edges[:, 0] >= RUN].T
    if not len(first):
        return 0.0
    beside = np.maximum(steps[np.maximum(first - 1, 0)], steps[last])
    inside = np.maximum.reduceat(steps, np.stack([first, last], axis=1).ravel())[::2]
    return float((last - first)[beside > CORNER * inside].sum() / len(wave))


def spectrogram(wave: Wave) -> Power:
    """Power (frames, 257); audio shorter than a frame is padded with silence."""
    from scipy.fft import rfft

    window = np.hanning(FRAME).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, (0, max(0, FRAME - len(wave)))), FRAME)[::HOP]
    power = np.empty((len(frames), FRAME // 2 + 1), np.float32)
    for begin in range(0, len(frames), BLOCK):
        spectrum = rfft(frames[begin : begin + BLOCK] * window, axis=1)
        power[begin : begin + BLOCK] = spectrum.real**2 + spectrum.imag**2
    return power
