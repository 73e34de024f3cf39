"""Other versions of a clip for fitting: speeds, levels, a little noise and other channels; and perturbed copies."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import soxr

from curation.audio.wave import SAMPLE_RATE, Wave

Doubles = npt.NDArray[np.float64]

MAX_SECONDS = 8
MIN_SAMPLES = SAMPLE_RATE // 2
SPEED_RANGE = 0.22
"""Copies are resampled by up to exp(±0.22): other pitches and vocal tracts, which stand for more speakers."""
NOISE_DB = (-60.0, -25.0)
"""Level of the added noise against the peak."""
CHANNEL_HERTZ = (60.0, 200.0, 500.0, 1200.0, 2500.0, 5000.0, 8000.0)
CHANNEL_DB = 8.0
"""A channel's gain at each of these frequencies is drawn from ±8 dB, and is linear in log frequency between them."""
NARROW_SHARE = 0.5
LOW_EDGE, HIGH_EDGE = (150.0, 400.0), (3000.0, 4200.0)
"""Half of the channels pass nothing below and above such edges, as telephones do."""
STOP_DB = -60.0
PERTURB_SHIFT = 160
"""Samples: half a semantic token."""
PERTURB_DB, PERTURB_NOISE_DB = (-2.0, 0.0), (-60.0, -45.0)
"""Change of a perturbed copy's level, and its noise against full scale."""


def varied(waves: Iterable[Wave], copies: int, channels: int, seed: int) -> Iterator[Wave]:
    """Pieces of at most 8 s, mono 16 kHz float32: `copies` as they are and `channels` through a random channel.

    All at random speeds and levels, with a little coloured noise. Silent pieces and those below 0.5 s are left out.
    """
    random = np.random.default_rng(seed)
    size = MAX_SECONDS * SAMPLE_RATE
    for wave in waves:
        for start in range(0, max(1, len(wave) - MIN_SAMPLES), size):
            piece = wave[start : start + size]
            if len(piece) < MIN_SAMPLES or not np.abs(piece).max():
                continue
            for number in range(copies + channels):
                speed = np.exp(random.uniform(-SPEED_RANGE, SPEED_RANGE))
                other = soxr.resample(piece, SAMPLE_RATE, SAMPLE_RATE * speed)
                if number >= copies:
                    other = through_channel(other, random)
                other = other / np.abs(other).max() + _noise(len(other), random)
                yield np.asarray(other * 0.6 * 10 ** (random.uniform(-6, 0) / 20), np.float32)


def perturbed(wave: Wave, random: np.random.Generator) -> Wave:
    """Give the same sound as if recorded again: up to 10 ms later, up to 2 dB softer, with faint white noise."""
    later = wave[int(random.integers(1, PERTURB_SHIFT + 1)) :] * 10 ** (random.uniform(*PERTURB_DB) / 20)
    noise = random.standard_normal(len(later)) * 10 ** (random.uniform(*PERTURB_NOISE_DB) / 20)
    return np.asarray(later + noise, np.float32)


def through_channel(wave: Wave, random: np.random.Generator) -> Doubles:
    """Filter with a random smooth gain, half of the time of a narrow band; zero phase, same length."""
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE).clip(CHANNEL_HERTZ[0])
    points = random.uniform(-CHANNEL_DB, CHANNEL_DB, len(CHANNEL_HERTZ))
    gain = np.interp(np.log(hertz), np.log(CHANNEL_HERTZ), points)
    if random.random() < NARROW_SHARE:
        low, high = random.uniform(*LOW_EDGE), random.uniform(*HIGH_EDGE)
        octaves = np.maximum(np.log2(low / hertz), np.log2(hertz / high)).clip(0)
        gain += (-120 * octaves).clip(STOP_DB)
    spectrum = np.fft.rfft(wave.astype(np.float64)) * 10 ** (gain / 20)
    return np.asarray(np.fft.irfft(spectrum, len(wave)), np.float64)


def _noise(size: int, random: np.random.Generator) -> Doubles:
    """White noise through a random one-pole low-pass filter."""
    from scipy.signal import lfilter

    pole = random.uniform(0, 0.95)
    coloured = lfilter([1 - pole], [1, -pole], random.standard_normal(size))
    level = 10 ** (random.uniform(*NOISE_DB) / 20)
    return np.asarray(coloured / coloured.std() * level, np.float64)
