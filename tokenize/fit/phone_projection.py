"""A projection of Whisper states that separates phones: linear discriminant analysis on forced alignments.

It plays the role of GLM-4-Voice's training on transcripts: nearest neighbours in the
raw states share a speaker rather than a phone. Fitted once, by tokenize/fit/__main__.py; `fit` keeps it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import DataError
from curation.tokenize.compact.content import TOKEN_SAMPLES, averaged_states
from curation.tokenize.compact.features import Floats, whisper_states

SIZE = 40
RIDGE = 0.05
"""Added to the within-phone covariance of standardised states."""
FRAME_SAMPLES = 160
SILENCE = "SIL"


@dataclass(frozen=True, slots=True)
class Projection:
    """Points are (averaged states - `mean`) @ `matrix`; shapes (384,) and (384, SIZE)."""

    mean: Floats
    matrix: Floats

    def __call__(self, states: Floats) -> Floats:
        """Shape (N, 384) to (N, SIZE)."""
        return np.asarray((states - self.mean) @ self.matrix, np.float32)


class PhoneAligner:
    """PocketSphinx's US English model as a forced aligner."""

    def __init__(self) -> None:
        from pocketsphinx import Config, Decoder

        self.decoder = Decoder(Config(samprate=SAMPLE_RATE, loglevel="FATAL", bestpath=False))

    def __call__(self, wave: Wave, text: str, count: int) -> list[str]:
        """The phone in the middle of each of `count` tokens; none where a word is unknown or the alignment fails."""
        words = re.sub(r"[^a-z' ]", " ", text.lower()).split()
        if not words or any(self.decoder.lookup_word(word) is None for word in words):
            return []
        sound = (wave * 32767).clip(-32768, 32767).astype(np.int16).tobytes()
        self.decoder.set_align_text(" ".join(words))
        if not self._decode(sound) or self.decoder.hyp() is None:
            return []
        self.decoder.set_alignment()
        if not self._decode(sound):  # no hyp() here: it crashes in the second pass
            return []
        labels = [SILENCE] * count
        for word in self.decoder.get_alignment():
            for phone in word:
                for token in range(count):
                    middle = (token + 0.5) * TOKEN_SAMPLES / FRAME_SAMPLES
                    if phone.start <= middle < phone.start + phone.duration:
                        labels[token] = phone.name
        return labels

    def _decode(self, sound: bytes) -> bool:
        self.decoder.start_utt()
        self.decoder.process_raw(sound, full_utt=True)
        try:
            self.decoder.end_utt()
        except RuntimeError:  # the final state was not reached: the text does not match the speech
            return False
        return True


def fit_projection(spoken: Iterable[tuple[Wave, str]]) -> Projection:
    """Projection from waves and their transcripts. Raises DataError where none of them can be aligned."""
    whisper, align = whisper_states(), PhoneAligner()
    points, labels = [], []
    for wave, text in spoken:
        states = averaged_states(whisper, wave)
        phones = align(wave, text, len(states))
        if phones:
            points.append(states)
            labels += phones
    if not points:
        msg = "fit: no transcript could be aligned: English transcripts of the waves are needed"
        raise DataError(msg)
    return discriminant(np.concatenate(points), np.array(labels))


def discriminant(points: Floats, labels: "np.ndarray[tuple[int], np.dtype[np.str_]]") -> Projection:
    """Linear discriminant analysis: directions by between- over within-class variance, scaled by their separation."""
    from scipy.linalg import eigh

    mean, spread = points.mean(axis=0), points.std(axis=0).clip(1e-3)
    standard = ((points - mean) / spread).astype(np.float64)
    within = RIDGE * np.eye(standard.shape[1])
    between = np.zeros_like(within)
    for label in np.unique(labels):
        members = standard[labels == label]
        centre = members.mean(axis=0)
        within += (members - centre).T @ (members - centre) / len(standard)
        between += len(members) / len(standard) * np.outer(centre, centre)
    ratio, directions = eigh(between, within)
    ratio, directions = ratio[::-1][:SIZE].clip(0), directions[:, ::-1][:, :SIZE]
    matrix = directions * np.sqrt(ratio / (1 + ratio)) / spread[:, None]
    return Projection(mean.astype(np.float32), matrix.astype(np.float32))
