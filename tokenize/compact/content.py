"""The compact content tokenizer: Whisper tiny's encoder states, four averaged to a token, projected to separate phones
(tokenize/fit/phone_projection.py), nearest of a codebook.

12.5 tokens a second, ceil(samples / 1280) a clip, as in the GLM-4-Voice tokenizer. It is the shipped replacement of
that one; its ids have other meanings.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.audio.wave import Wave
from curation.tokenize.base import Ids, Vectors
from curation.tokenize.compact.features import Floats, WhisperStates, whisper_states
from curation.tokenize.compact.weights import fingerprint, load_weights

FILE = "compact_content.safetensors"
TOKEN_SAMPLES = 1280
STATES_PER_TOKEN = 4


def averaged_states(states: WhisperStates, wave: Wave) -> Floats:
    """Means of four states, shape (ceil(samples / 1280), 384)."""
    count = -(-len(wave) // TOKEN_SAMPLES)
    found = states(wave, count * STATES_PER_TOKEN)
    return np.asarray(found.reshape(count, STATES_PER_TOKEN, found.shape[1]).mean(axis=1), np.float32)


def nearest(points: Floats, codebook: Floats) -> Ids:
    """Index of the nearest row of `codebook` (K, D) to each of `points` (N, D), by Euclidean distance, int32."""
    distance = (codebook**2).sum(axis=1) - 2 * points @ codebook.T
    return np.asarray(distance.argmin(axis=1), dtype=np.int32)


class CompactContent:
    """Satisfies `ContentTokenizer`. `folder` holds a fitted codebook; None: the shipped one.

    Raises DataError where the file is missing or damaged, ModelError where Whisper tiny.en is not available.
    """

    name = "compact-content"

    def __init__(self, folder: Path | None = None, *, whisper: bool = True) -> None:
        tensors = load_weights(folder, FILE)
        self.mean, self.matrix, self.codebook = (
            tensors[name].astype(np.float32) for name in ("mean", "projection", "codebook")
        )
        self.codebook_size = len(self.codebook)
        self.fingerprint = fingerprint(self.name, {"whisper": "tiny.en", "states": STATES_PER_TOKEN}, tensors)
        if whisper:  # without it, it encodes nothing
            self.states = whisper_states()

    def num_tokens(self, num_samples: int) -> int:
        """ceil(num_samples / 1280)."""
        return -(-num_samples // TOKEN_SAMPLES)

    def encode(self, waves: Sequence[Wave]) -> list[Ids]:
        """Ids for each clip, computed one by one."""
        return [self._encode(wave) for wave in waves]

    def code_vectors(self) -> Vectors:
        """The codebook, (codes, size)."""
        return self.codebook

    def _encode(self, wave: Wave) -> Ids:
        points = (averaged_states(self.states, wave) - self.mean) @ self.matrix
        return nearest(points.astype(np.float32), self.codebook)
