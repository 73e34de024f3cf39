"""Speech from log-mel frames and pitch: a harmonic-plus-noise source, shaped until it has the target mel spectrum.

The source has the right pitch and phases, so a few rounds of projection (as in Griffin & Lim 1984, but on the mel
magnitudes) are enough. Everything is seeded and depends on the clip alone.
"""

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.tokenize.compact.features import FFT, HOP, WINDOW, Floats, frames, mel_filters

Doubles = npt.NDArray[np.float64]

ROUNDS = 6
SEED = 0
NOISE_FROM_HZ, NOISE_WIDTH_HZ = 4200.0, 900.0
REACH = ROUNDS * WINDOW // HOP + 1
"""Frames before and after its own that a sample depends on: a window for each round, a frame for the pitch's
interpolation. The phase of the pulses depends on everything before.
"""


def vocode(mel: Floats, log_f0: Floats, voicing: Floats, rounds: int = ROUNDS) -> Wave:
    """Make 160 samples for each frame.

    `mel` (frames, NUM_MELS) is as `features.log_mel` makes it; `log_f0` and `voicing` (0..1) have shape (frames,).
    """
    noise = np.random.default_rng(SEED).standard_normal(len(mel) * HOP)
    return shape(mel, voicing, pulses(sampled_f0(log_f0))[0], noise, rounds)


def sampled_f0(log_f0: Floats) -> Doubles:
    """Hz at each sample, from the values at the frames' centres."""
    samples = np.arange(len(log_f0) * HOP)
    at = np.arange(len(log_f0)) * HOP + HOP // 2
    return np.asarray(np.exp(np.interp(samples, at, log_f0)), np.float64)


def pulses(f0: Doubles, before: float = 0.0) -> tuple[Doubles, Doubles]:
    """One pulse for each whole cycle, of equal power at every pitch; also the cycles up to each sample."""
    phase = np.cumsum(np.concatenate([[before], f0 / SAMPLE_RATE]))
    return np.diff(np.floor(phase)) * np.sqrt(SAMPLE_RATE / f0), phase[1:]


def shape(mel: Floats, voicing: Floats, pulse: Doubles, noise: Doubles, rounds: int = ROUNDS) -> Wave:
    """Give pulses and noise, 160 samples each for a frame, the target mel spectrum."""
    count = len(mel)
    spectrum = _source(voicing, pulse, noise)
    spread = mel_filters() / mel_filters().sum(axis=0, keepdims=True).clip(1e-8)
    for _ in range(rounds):
        found = np.abs(spectrum) @ mel_filters().T
        gain = np.exp(np.clip(mel - np.log(found.clip(1e-8)), -12, 12)) @ spread
        wave = inverse_stft(spectrum * gain)
        spectrum = stft(wave, count)
    return wave[: count * HOP].astype(np.float32)


def _source(voicing: Floats, pulse: Doubles, noise: Doubles) -> npt.NDArray[np.complex64]:
    """STFT of pulses below and noise above 4 kHz where the frame is voiced, of noise elsewhere."""
    count = len(voicing)
    bins = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    harmonic = 1 / (1 + np.exp((bins - NOISE_FROM_HZ) / NOISE_WIDTH_HZ))
    share = voicing[:, None] * harmonic
    return np.asarray(stft(pulse, count) * np.sqrt(share) + stft(noise, count) * np.sqrt(1 - share), np.complex64)


def _window() -> Floats:
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


def stft(wave: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.complex64]:
    """Windows centred on 160·j + 80, shape (count, FFT/2 + 1)."""
    return np.asarray(np.fft.rfft(frames(wave.astype(np.float32), count, WINDOW) * _window(), FFT), np.complex64)


def inverse_stft(spectrum: npt.NDArray[np.complex64]) -> Wave:
    """Find the wave whose `stft` is nearest to `spectrum` in the least-squares sense."""
    window = _window()
    pieces = np.fft.irfft(spectrum, FFT)[:, :WINDOW].astype(np.float32) * window
    before, size = WINDOW // 2 - HOP // 2, len(spectrum) * HOP
    out = _overlapped(pieces) / _overlapped(np.broadcast_to(window**2, pieces.shape)).clip(1e-3)
    return np.asarray(out[before : before + size], np.float32)


def _overlapped(pieces: Floats) -> Floats:
    """Sum of pieces (count, WINDOW) that begin `HOP` samples apart."""
    count, parts = len(pieces), -(-WINDOW // HOP)
    blocks = np.zeros((count, parts * HOP), np.float32)
    blocks[:, :WINDOW] = pieces
    out = np.zeros((count + parts - 1, HOP), np.float32)
    for part in reversed(range(parts)):  # the earlier piece first
        out[part : part + count] += blocks[:, part * HOP : (part + 1) * HOP]
    return out.ravel()
