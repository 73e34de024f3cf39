"""Spectral enhancement without a model: the log-spectral amplitude estimator with a noise floor that follows minima.

Ephraim and Malah, "Speech enhancement using a minimum mean-square error log-spectral amplitude estimator", IEEE TASSP
1985 (gain; decision-directed a-priori signal-to-noise ratio), and Cohen and Berdugo, "Noise estimation by minima
controlled recursive averaging for robust speech enhancement", IEEE SPL 2002 (noise). For steady noise; it needs no
weights, and shows that a denoiser is one file.
"""

import numpy as np
from numpy.typing import NDArray

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources
from curation.stages.denoise.base import Denoiser

FRAME, HOP = 512, 128
SMOOTH_PRIOR = 0.98
"""Weight of the previous frame's estimate in the a-priori SNR (decision-directed)."""
MIN_PRIOR = 10 ** (-25 / 10)
MIN_GAIN = 10 ** (-20 / 20)
"""Residual noise: removing all of it sounds worse than -20 dB."""
SMOOTH_POWER = 0.8
SMOOTH_SPEECH = 0.2
SMOOTH_NOISE = 0.95
MINIMUM_FRAMES = 125
"""The minimum of the power is taken over one to two seconds."""
SPEECH_RATIO = 5.0
"""Power above the minimum from which a bin counts as speech."""

Reals = NDArray[np.float64]


class Spectral(Denoiser):
    """The estimator; about 60 x real time on one core."""

    kind = "spectral"
    resources = Resources(memory_gib=0.05)

    def load(self) -> None:
        """Load the transform: not in the time of the first recording."""
        import scipy.signal  # noqa: F401

    def denoise(self, wave: Wave) -> Wave:
        """(samples,) float32 at 16 kHz -> the same shape, aligned."""
        if not len(wave):
            return wave.copy()
        from scipy.signal import ShortTimeFFT  # a second that no other process needs

        transform = ShortTimeFFT(np.hanning(FRAME + 1)[:-1], HOP, SAMPLE_RATE)
        padded = np.pad(wave, (FRAME, FRAME + HOP))
        spectrum = transform.stft(padded)
        gains = estimate_gains(np.abs(spectrum.T) ** 2)
        clean = transform.istft(spectrum * gains.T, k1=len(padded))
        return np.asarray(clean[FRAME : FRAME + len(wave)], dtype=np.float32)


def estimate_gains(power: Reals) -> Reals:
    """Gain for each (frame, bin) of a power spectrogram."""
    from scipy.special import exp1

    noise = track_noise(power)
    posterior = np.minimum(power / noise, 1e3)
    gains = np.empty_like(power)
    speech = np.ones(power.shape[1])
    for frame, ratio in enumerate(posterior):
        prior = np.maximum(SMOOTH_PRIOR * speech + (1 - SMOOTH_PRIOR) * np.maximum(ratio - 1, 0), MIN_PRIOR)
        wiener = prior / (1 + prior)
        gain = wiener * np.exp(0.5 * exp1(np.maximum(wiener * ratio, 1e-10)))
        speech = np.minimum(gain, 1) ** 2 * ratio
        gains[frame] = np.clip(gain, MIN_GAIN, 1)
    return gains


def track_noise(power: Reals) -> Reals:
    """Noise power for each (frame, bin): averaged where the power is near its recent minimum, held elsewhere."""
    floor = max(float(power.mean()) * 1e-8, 1e-20)
    power = np.maximum(power, floor)
    smooth = power[: min(len(power), 8)].mean(axis=0)
    minimum, coming = smooth.copy(), smooth.copy()
    presence = np.zeros(power.shape[1])
    noise = np.empty_like(power)
    current = smooth.copy()
    for frame, now in enumerate(power):
        smooth = SMOOTH_POWER * smooth + (1 - SMOOTH_POWER) * np.convolve(
            np.pad(now, 1, "edge"), [0.25, 0.5, 0.25], "valid"
        )
        minimum, coming = np.minimum(minimum, smooth), np.minimum(coming, smooth)
        if frame % MINIMUM_FRAMES == MINIMUM_FRAMES - 1:
            minimum, coming = np.minimum(coming, smooth), smooth.copy()
        presence = SMOOTH_SPEECH * presence + (1 - SMOOTH_SPEECH) * (smooth > SPEECH_RATIO * minimum)
        weight = SMOOTH_NOISE + (1 - SMOOTH_NOISE) * presence
        current = weight * current + (1 - weight) * now
        noise[frame] = current
    return noise
