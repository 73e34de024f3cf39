"""Judges of synthesised speech: a speech recogniser and a speaker encoder.

Both are the models of the pipeline. Results hold for these judges only: other recognisers and encoders (Seed-TTS-eval
uses Whisper large-v3, Paraformer and a WavLM encoder) give other ones, so the report names them.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.transcribe.whisper import Whisper, WhisperConfig

PIECE_SECONDS = 28.0
"""Whisper takes 30 s at most. Only runaway speech is longer."""
MOST_AT_ONCE = 8
"""Each utterance that Whisper base hears takes 60 MB beside the weights."""


class Recogniser(Protocol):
    """Transcribes synthesised speech."""

    name: str

    def hear(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[str]:
        """Text of each wave, any length, in its language (ISO 639-1)."""


class SpeakerJudge(Protocol):
    """Measures the similarity of voices."""

    name: str

    def embed(self, waves: Sequence[Wave]) -> npt.NDArray[np.float32]:
        """(waves, dimension), rows of unit norm; a row of NaN where the audio is too short."""


class WhisperRecogniser:
    """Whisper through the adapter of the pipeline, beam 5: as many utterances at once as torch has threads here."""

    def __init__(self, model: str = "whisper-base") -> None:
        import torch

        self.name = model
        self._at_once = min(torch.get_num_threads(), MOST_AT_ONCE)
        self._system = Whisper(WhisperConfig(name="judge", model=model), self._at_once)
        self._system.load()

    def hear(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[str]:
        """Texts; of pieces of 28 s, joined, where a wave is longer. An empty wave has an empty text.

        Raises ValueError for an unsupported language.
        """
        step = round(PIECE_SECONDS * SAMPLE_RATE)
        pieces = [[wave[start : start + step] for start in range(0, len(wave), step)] for wave in waves]
        flat = [piece for row in pieces for piece in row]
        own = [language for row, language in zip(pieces, languages, strict=True) for _ in row]
        # Each by itself: on a CPU sixteen together take 1.5 times as long for each, since what the encoder computes for
        # them leaves the cache. Two at once on two threads take .56 of the time, one on both .75.
        with ThreadPoolExecutor(self._at_once) as threads:
            texts = threads.map(lambda one, of: self._system.transcribe([one], [of])[0].text, flat, own)
            return [" ".join(next(texts) for _ in row) for row in pieces]


class EncoderJudge:
    """The speaker encoder of the pipeline, CAM++."""

    def __init__(self, model: str = "campplus") -> None:
        from curation.stages.diarize.campplus.encoder import load_encoder

        self.name = model
        self._encoder = load_encoder(model)

    def embed(self, waves: Sequence[Wave]) -> npt.NDArray[np.float32]:
        """Embeddings (waves, 192); NaN below 0.1 s."""
        return self._encoder.embed(waves)


def similarities(judge: SpeakerJudge, waves: Sequence[Wave], others: Sequence[Wave]) -> list[float]:
    """Cosine of the embeddings of each pair of waves; NaN where one is too short."""
    return [float(value) for value in np.sum(judge.embed(waves) * judge.embed(others), axis=1)]
