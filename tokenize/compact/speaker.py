"""The 32 global tokens of the compact codec: the constant properties of a clip, as 8-bit scalars.

Mean and spread of the log-mel over speech (as cosine transforms over the bands), and mean and spread of log f0. The
semantic stream sees only the residual without these, and decoding restores them: another clip's globals give another
voice.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.tokenize.base import Ids
from curation.tokenize.compact.features import NUM_MELS, Floats

NUM_GLOBAL = 32
GLOBAL_SIZE = 256
MEAN_TERMS, SPREAD_TERMS = 21, 9
SPEECH_RANGE = 3.5
"""Nepers (30 dB) below the loud frames within which a frame counts as speech."""
NORMAL_LIMIT = 4.0
STEPS_PER_DEVIATION = 16
"""So the range is 8 standard deviations each way: real channels lie far outside of those of clean voices."""
MIN_SPREAD = 0.6
"""Nepers: bands without speech (telephone) hold noise that must not be amplified."""


def cosines(terms: int) -> Floats:
    """Orthonormal cosine basis over the mel bands, shape (terms, NUM_MELS)."""
    k, n = np.arange(terms)[:, None], np.arange(NUM_MELS)[None]
    basis = np.cos(np.pi * k * (n + 0.5) / NUM_MELS) * np.sqrt(2 / NUM_MELS)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


def describe(mel: Floats, log_f0: Floats, voiced: npt.NDArray[np.bool_]) -> Floats:
    """Give the 32 raw values of a clip, from frames (count, NUM_MELS), (count,), (count,)."""
    level = mel.mean(axis=1)
    speech = mel[level >= np.percentile(level, 95) - SPEECH_RANGE]
    spread = np.log(speech.std(axis=0).clip(MIN_SPREAD))
    heard = log_f0[voiced] if voiced.any() else log_f0
    f0 = [np.median(heard), np.log(np.clip(heard.std(), 0.05, 0.6))]
    values = [cosines(MEAN_TERMS) @ speech.mean(axis=0), cosines(SPREAD_TERMS) @ spread, np.array(f0)]
    return np.concatenate(values).astype(np.float32)


@dataclass(frozen=True, slots=True)
class SpeakerSpace:
    """Quantiser of the 32 values: `centre` and `scale` (one standard deviation over clips), shape (32,)."""

    centre: Floats
    scale: Floats

    def ids(self, values: Floats) -> Ids:
        """Global tokens 0..255 of raw values."""
        steps = np.rint((values - self.centre) / self.scale * STEPS_PER_DEVIATION) + GLOBAL_SIZE // 2
        return np.asarray(steps.clip(0, GLOBAL_SIZE - 1), np.int32)

    def standard(self, ids: Ids) -> Floats:
        """The network's input: deviations from the centre, -8..8."""
        return np.asarray((ids - GLOBAL_SIZE // 2) / STEPS_PER_DEVIATION, np.float32)

    def values(self, ids: Ids) -> Floats:
        """Raw values of global tokens."""
        return np.asarray(self.standard(ids) * self.scale + self.centre, np.float32)


@dataclass(frozen=True, slots=True)
class Voice:
    """Raw values by kind: mean and standard deviation per band (NUM_MELS,), of log f0 one each."""

    mean: Floats
    spread: Floats
    f0_mean: float
    f0_spread: float

    @classmethod
    def of(cls, values: Floats) -> "Voice":
        """From the 32 values."""
        mean = values[:MEAN_TERMS] @ cosines(MEAN_TERMS)
        spread = np.exp(values[MEAN_TERMS : MEAN_TERMS + SPREAD_TERMS] @ cosines(SPREAD_TERMS))
        return cls(mean, spread, float(values[-2]), float(np.exp(values[-1])))

    def normalise(self, mel: Floats, log_f0: Floats, voiced: npt.NDArray[np.bool_]) -> Floats:
        """Frames without the voice, two to a row: (tokens, 2 · (NUM_MELS + 2))."""
        normal = ((mel - self.mean) / self.spread).clip(-NORMAL_LIMIT, NORMAL_LIMIT)
        f0 = ((log_f0 - self.f0_mean) / self.f0_spread).clip(-NORMAL_LIMIT, NORMAL_LIMIT)
        half = len(mel) // 2
        parts = [normal.reshape(half, -1), f0.reshape(half, 2), voiced.reshape(half, 2)]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def restore(self, rows: Floats) -> tuple[Floats, Floats, Floats]:
        """log-mel (frames, NUM_MELS), log f0 and voicing (frames,) from rows as `normalise` makes them."""
        mel = rows[:, : 2 * NUM_MELS].reshape(-1, NUM_MELS) * self.spread + self.mean
        log_f0 = rows[:, -4:-2].reshape(-1) * self.f0_spread + self.f0_mean
        return mel, log_f0, rows[:, -2:].reshape(-1)
