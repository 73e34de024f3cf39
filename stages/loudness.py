"""Loudness: dynamic range compression, then peak normalisation x * 0.6 / max|x| (paper, data pipeline, step 1).

The compressor is the feed-forward design of Giannoulis, Massberg and Reiss, "Digital Dynamic Range Compressor
Design: A Tutorial and Analysis", J. Audio Eng. Soc. 60(6), 2012: level of |x| in dB -> static curve with a
quadratic soft knee -> ballistics on the gain reduction in the log domain (their decoupled peak detector) -> gain.
Levels are relative to the peak of the audio, so that a quiet recording is compressed exactly as a loud one.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from curation.audio.levels import PEAK, peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.settings import Section
from curation.manifests.records import Recording
from curation.stages.base import Stage

QUIETEST = 1e-6
"""Relative to the peak; keeps the logarithm finite."""


class LoudnessConfig(Section):
    """The compressor, and the peak after it."""

    threshold_db: float = Field(-20.0, le=0, description="Level above which gain is reduced, dB below the peak")
    ratio: float = Field(2.0, ge=1, description="dB in per dB out above the threshold; 1 switches compression off")
    knee_db: float = Field(6.0, ge=0, description="Width of the soft knee around the threshold, dB")
    attack_ms: float = Field(5.0, gt=0, description="Time constant with which the gain falls, ms")
    release_ms: float = Field(250.0, gt=0, description="Time constant with which the gain recovers, ms")
    peak: float = Field(PEAK, gt=0, le=1, description="Absolute peak after normalisation, full scale 1")


class Loudness(Stage):
    """Compresses and normalises the audio of every recording in place."""

    name = "loudness"
    section = LoudnessConfig
    after = "decode"

    def __init__(self, config: LoudnessConfig | None = None) -> None:
        self.config = config or LoudnessConfig()

    def setup(self) -> None:
        """Load the filters: that takes seconds on a busy machine, which are not those of the first recording."""
        if self.config.ratio != 1.0:
            import scipy.signal  # noqa: F401

    def process(self, batch: Sequence[Recording]) -> None:
        """Replace the `audio` of each recording that has any."""
        results = [self._normalize(recording.audio) for recording in batch]  # all or none: may be called again
        for recording, audio in zip(batch, results, strict=True):
            recording.audio = audio

    def _normalize(self, audio: Wave | None) -> Wave | None:
        return None if audio is None else peak_normalize(compress(audio, self.config), self.config.peak)


def compress(wave: Wave, config: LoudnessConfig) -> Wave:
    """Reduce the dynamic range; no make-up gain. (samples,) float32 -> the same; silence stays as it is."""
    loudest = float(np.abs(wave).max(initial=0.0))
    if loudest == 0.0 or config.ratio == 1.0:
        return wave.copy()
    level = np.log10(np.maximum(np.abs(wave) / np.float32(loudest), np.float32(QUIETEST))) * np.float32(20.0)
    reduction = smooth(reduction_db(level, config), config)
    return np.asarray(wave * np.exp(reduction * np.float32(-np.log(10.0) / 20.0)), dtype=np.float32)


def reduction_db(level: Wave, config: LoudnessConfig) -> Wave:
    """Apply the static curve: gain reduction in dB (>= 0) at each level (dB), quadratic within the knee."""
    slope, half = np.float32(1.0 - 1.0 / config.ratio), np.float32(config.knee_db / 2.0)
    over = level - np.float32(config.threshold_db)
    if half == 0.0:
        return np.asarray(slope * np.maximum(over, 0.0), dtype=np.float32)
    # Below the knee the square vanishes; above it the line continues with the slope of the square at its end.
    inside = np.clip(over + half, 0.0, 2.0 * half)
    curve = np.square(inside) / (4.0 * half) + np.maximum(over - half, 0.0)
    return np.asarray(slope * curve, dtype=np.float32)


def smooth(reduction: Wave, config: LoudnessConfig) -> Wave:
    """Apply release, y1[n] = max(x[n], r * y1[n-1]), then attack, y[n] = a * y[n-1] + (1-a) * y1[n]; in dB.

    The release is a running maximum of log x[n] + n / (release in samples): no loop in Python, and exact.
    """
    from scipy.signal import lfilter

    decay = np.arange(len(reduction), dtype=np.float64)  # a span has millions of samples: work in place
    decay *= 1000.0 / (config.release_ms * SAMPLE_RATE)
    with np.errstate(divide="ignore"):
        peaks = np.log(reduction) + decay
    np.maximum.accumulate(peaks, out=peaks)
    peaks -= decay
    held = np.exp(peaks.astype(np.float32))
    pole = np.float32(np.exp(-1000.0 / (config.attack_ms * SAMPLE_RATE)))
    smoothed: Wave = lfilter([1 - pole], [np.float32(1), -pole], held)
    return smoothed
