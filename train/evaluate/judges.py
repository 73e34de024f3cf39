"""Judges of synthesised speech: a speech recogniser and a speaker encoder.

Both are the models of the pipeline. Results hold for these judges only: other recognisers and encoders (Seed-TTS-eval
uses Whisper large-v3, Paraformer and a WavLM encoder) give other ones, so the report names them.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.transcribe.whisper import Whisper, WhisperConfig

PIECE_SECONDS = 28.0
"""Whisper takes 30 s at most. Only runaway speech is longer."""
MOST_COPIES = 8
"""Of a recogniser; each of Whisper base holds 75 MB."""


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
    """Whisper through the adapter of the pipeline, beam 5; a copy of it for each thread that torch has here."""

    def __init__(self, model: str = "whisper-base") -> None:
        import torch

        self.name = model
        self._copies = min(torch.get_num_threads(), MOST_COPIES)
        self._free: SimpleQueue[Whisper] = SimpleQueue()
        for _ in range(self._copies):
            system = Whisper(WhisperConfig(name="judge", model=model))
            system.load()
            self._free.put(system)

    def hear(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[str]:
        """Texts; of pieces of 28 s, joined, where a wave is longer. An empty wave has an empty text.

        Raises ValueError for an unsupported language.
        """
        step = round(PIECE_SECONDS * SAMPLE_RATE)
        pieces = [[wave[start : start + step] for start in range(0, len(wave), step)] for wave in waves]
        flat = [piece for row in pieces for piece in row]
        own = [language for row, language in zip(pieces, languages, strict=True) for _ in row]
        # Each by itself: on a CPU sixteen together take 1.5 times as long for each, since what the encoder computes for
        # them leaves the cache. Two at once on two threads take half the time, one on both three quarters.
        with ThreadPoolExecutor(self._copies) as threads:
            texts = threads.map(self._text, flat, own)
            return [" ".join(next(texts) for _ in row) for row in pieces]

    def _text(self, wave: Wave, language: str) -> str:
        system = self._free.get()
        try:
            return system.transcribe([wave], [language])[0].text
        finally:
            self._free.put(system)


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
