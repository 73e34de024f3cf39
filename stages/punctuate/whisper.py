"""Word times by Whisper's cross-attention, snapped to the quiet stretches of the audio: for languages without a
dictionary.

Source: `find_alignment` of faster-whisper (dynamic time warping over the attention of a multilingual Whisper, with the
words given). Its boundaries are off by 40 to 120 ms at the median, and words touch; but the nearest quiet stretch is
mostly the right one. So only quiet stretches are pauses, and each lies at the word boundary that is nearest to it.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from curation.audio.levels import HOP, frame_energy
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources
from curation.core.settings import Section, model_field
from curation.models.store import resolve
from curation.models.threads import load_apart
from curation.stages.punctuate.base import Aligner, Placed
from curation.stages.punctuate.pauses import speech_above
from curation.stages.punctuate.word_times import Timed, place
from curation.text.punctuation import CJK_WORD

MAX_SECONDS = 29.0
GRID_SECONDS = 15.0
"""Utterances are padded to a multiple of this, which leaves a second: shorter windows are out of Whisper's habits."""
QUIET_FRAMES = 10
"""A stretch of at least 100 ms is a pause; shorter ones are closures of consonants."""
LEAST_SECONDS = 0.02
"""Of a word: those that the attention gives no time get this much."""
MAX_WORDS_PER_SECOND = 12.5
"""Of words, or characters of Chinese; Whisper finds any repetition likely."""


class WhisperAlignerConfig(Section):
    """Settings of the aligner whisper."""

    model: str = model_field("whisper-base", "multilingual Whisper in CTranslate2 format")
    threads: int = Field(1, description="CPU threads of the model", ge=1)
    min_probability: float = Field(
        0.05,
        description="geometric mean of Whisper's probabilities of the text below which it does not fit",
        ge=0,
        le=1,
    )


class WhisperAligner(Aligner):
    """The aligner for languages without another one."""

    kind = "whisper"
    section = WhisperAlignerConfig
    resources = Resources(memory_gib=0.2)

    def __init__(self, config: WhisperAlignerConfig | None = None) -> None:
        self.config = config or WhisperAlignerConfig()
        self._model: Any = None
        self._tokenizers: dict[str, Any] = {}

    def load(self) -> None:
        """Load the model (0.5 s). Raises ModelError where it is missing."""
        from faster_whisper import WhisperModel
        from faster_whisper.feature_extractor import FeatureExtractor

        folder = resolve(self.config.model)
        threads = self.config.threads
        self._model = load_apart(
            lambda: WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)
        )
        # 128 mel bands for large-v3, which faster-whisper knows only where there is a preprocessor_config.json.
        self._model.feature_extractor = FeatureExtractor(feature_size=self._model.model.n_mels)

    def speaks(self, language: str) -> bool:
        """The languages of the model, which is loaded for that."""
        if self._model is None:
            self.load()
        return _code(language) in self._model.supported_languages

    def align(self, wave: Wave, words: Sequence[str], language: str) -> Placed:
        """See `Aligner.align`. None also where Whisper finds the text unlikely."""
        length = len(wave) / SAMPLE_RATE
        if not self.speaks(language) or not words or length > MAX_SECONDS or len(words) > length * MAX_WORDS_PER_SECOND:
            return None
        tokenizer = self._tokenizer(_code(language))
        tokens = tokenizer.encode(joined(words))
        seconds = math.ceil((length + 1) / GRID_SECONDS) * GRID_SECONDS
        features = self._model.feature_extractor(np.pad(wave, (0, round(seconds * SAMPLE_RATE) - len(wave))))
        encoded = self._model.encode(np.ascontiguousarray(features[None, :, : round(seconds * SAMPLE_RATE) // HOP]))
        (found,) = self._model.find_alignment(tokenizer, [tokens], encoded, len(wave) // HOP)
        spoken = [piece for piece in found if any(char.isalnum() for char in piece["word"])]
        if not spoken or _mean_probability(spoken) < self.config.min_probability:
            return None
        times = snapped(np.array([[piece["start"], piece["end"]] for piece in spoken], np.float64), wave)
        pieces = [Timed(start, end, piece["word"]) for (start, end), piece in zip(times, spoken, strict=True)]
        return place(words, pieces, len(wave))

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if language not in self._tokenizers:
            model = self._model
            self._tokenizers[language] = Tokenizer(
                model.hf_tokenizer, model.model.is_multilingual, "transcribe", language
            )
        return self._tokenizers[language]


def _code(language: str) -> str:
    return language.partition("-")[0].lower()


def _mean_probability(pieces: Sequence[dict[str, Any]]) -> float:
    return math.exp(float(np.mean([math.log(max(float(piece["probability"]), 1e-6)) for piece in pieces])))


def joined(words: Sequence[str]) -> str:
    """The words as Whisper writes them: after a space, but for those of Chinese and Japanese."""
    text = ""
    for word in words:
        apart = not (CJK_WORD.match(word) and (not text or CJK_WORD.match(text[-1])))
        text += f" {word}" if apart else word
    return text


def snapped(times: npt.NDArray[np.float64], wave: Wave) -> npt.NDArray[np.float64]:
    """Start and end of each word in seconds, shape (words, 2): quiet stretches between words, and nothing else."""
    starts, ends = times.T.copy()
    middles = (ends[:-1] + starts[1:]) / 2
    ends[:-1] = starts[1:] = middles
    longest: dict[int, tuple[float, float]] = {}
    for first, last in quiet_stretches(wave):
        if len(middles):
            at = int(np.argmin(np.abs(middles - first)))
            longest[at] = max(longest.get(at, (0.0, 0.0)), (first, last), key=lambda stretch: stretch[1] - stretch[0])
    for at, (first, last) in longest.items():
        ends[at], starts[at + 1] = first, last
    return _in_order(starts, ends, len(wave) / SAMPLE_RATE)


def _in_order(
    starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64], seconds: float
) -> npt.NDArray[np.float64]:
    """Each word after the one before, none without time."""
    end = 0.0
    for index in range(len(starts)):
        starts[index] = max(starts[index], end)
        end = ends[index] = max(ends[index], starts[index] + LEAST_SECONDS)
    limit = seconds
    for index in reversed(range(len(starts))):
        ends[index] = min(ends[index], limit)
        limit = starts[index] = min(starts[index], ends[index] - LEAST_SECONDS)
    return np.stack([starts, ends], axis=1)


def quiet_stretches(wave: Wave) -> list[tuple[float, float]]:
    """Start and end in seconds of the quiet stretches of at least `QUIET_FRAMES`; not at the edges of the wave."""
    levels = frame_energy(wave)
    if not len(levels):
        return []
    edges = np.flatnonzero(np.diff(levels < speech_above(levels))) + 1
    quiet = levels[edges] < speech_above(levels) if len(edges) else edges
    return [
        (first * HOP / SAMPLE_RATE, last * HOP / SAMPLE_RATE)
        for (first, last), still in zip(pairwise(edges), quiet[:-1], strict=True)
        if still and last - first >= QUIET_FRAMES
    ]
