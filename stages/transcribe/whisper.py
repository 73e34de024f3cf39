"""Whisper (Radford et al. 2022, arXiv 2212.04356) by faster-whisper, for many short utterances.

`faster_whisper.BatchedInferencePipeline` cuts one long file. Here every utterance is one window, so the CTranslate2
model is driven directly: log-mel batch, encode, generate, and word times by `find_alignment` on request.
Each utterance is padded with silence to a window that depends on its own length alone. With int8 on CPU the result
is the same whatever else is in the batch and however many threads run (tests/stages/transcribe/test_stage.py); with
float32 one of 28 utterances changed in batches of 16: keep `batch_size` 1 there if it matters.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources, Score
from curation.core.errors import ModelError
from curation.manifests.records import Hypothesis, Word
from curation.models.store import resolve
from curation.models.threads import load_apart
from curation.stages.base import DECIMALS
from curation.stages.transcribe.base import TEXT_SCORES, AsrSystem, SystemConfig, text_scores

HOP = 160
MAX_FRAMES = 3000
"""30 s, the training window of Whisper, in log-mel frames of 10 ms."""
LANGUAGES = frozenset(
    """
    af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy
    id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru
    sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo zh
    """.split()  # noqa: SIM905 - one code per line would take pages
)
"""Of every multilingual model; that of a large-v3 has Cantonese too."""
TOKENS_PER_SECOND = 20
MAX_TOKENS = 224
"""Half of the decoder's context, as in the official decoder."""


class WhisperConfig(SystemConfig):
    """Whisper in CTranslate2 format."""

    kind: Literal["whisper"] = "whisper"
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the model runs")
    compute_type: str = Field("int8", description="CTranslate2 type of the weights: int8, float16, float32, ...")
    beam_size: int = Field(5, description="beams of the search; 1: greedy", ge=1)
    window_grid: float = Field(
        15.0,
        description="seconds: an utterance is padded to the next multiple that leaves `window_margin`; 30: always "
        "the full window of 30 s (3 times slower); below 15 s Whisper starts to repeat itself",
        gt=0,
        le=30,
    )
    window_margin: float = Field(1.0, description="seconds of silence after the utterance, at least", ge=0)
    word_times: bool = Field(default=False, description="times and confidences of words, by cross-attention")
    languages: list[str] | None = Field(
        None,
        description="languages that it is asked for (ISO 639-1); null: English for a model whose name ends in `.en`, "
        "else all that the model knows",
        min_length=1,
    )


class Whisper(AsrSystem):
    """Adapter for Whisper models in CTranslate2 format; the multilingual ones identify languages too.

    `workers`: how many calls, from as many threads, run at once. They share the weights.
    """

    kind = "whisper"
    section = WhisperConfig
    max_seconds = MAX_FRAMES * HOP / SAMPLE_RATE
    resources = Resources(memory_gib=0.2)
    scores = (
        *TEXT_SCORES,
        Score("no_speech_probability", "1", "Whisper's probability that the utterance is not speech", "hypothesis"),
    )

    def __init__(self, config: WhisperConfig, workers: int = 1) -> None:
        self.config: WhisperConfig = config
        self._workers = workers
        english = config.model.partition("@")[0].endswith(".en")
        self._asked = ["en"] if config.languages is None and english else config.languages
        cantonese: frozenset[str] = frozenset({"yue"}) if "large-v3" in config.model else frozenset()
        self.languages = LANGUAGES | cantonese if self._asked is None else frozenset(self._asked)
        self._model: Any = None
        self._tokenizers: dict[str, Any] = {}

    def load(self) -> None:
        """Load the model and its list of languages."""
        from faster_whisper import WhisperModel

        config = self.config
        self._model = load_apart(
            lambda: WhisperModel(
                str(resolve(config.model)),
                device=config.device,
                compute_type=config.compute_type,
                cpu_threads=config.threads,
                num_workers=self._workers,
            )
        )
        self._match_mels()
        known = self._model.hf_tokenizer.token_to_id
        # faster-whisper lists Cantonese for all multilingual models; only large-v3 has it.
        speaks = {code for code in self._model.supported_languages if code == "en" or known(f"<|{code}|>") is not None}
        if self._asked is None and speaks == {"en"}:
            msg = f"{config.name}: {config.model} speaks English only: add `languages: [en]` to its section"
            raise ModelError(msg)
        self.languages = frozenset(speaks if self._asked is None else speaks & set(self._asked))

    def _match_mels(self) -> None:
        """Set the mel bands of the features to those of the model (large-v3: 128, others: 80), which faster-whisper
        knows only where the folder has a preprocessor_config.json.
        """
        from faster_whisper.feature_extractor import FeatureExtractor

        bands = self._model.model.n_mels
        if self._model.feature_extractor.mel_filters.shape[0] != bands:
            self._model.feature_extractor = FeatureExtractor(feature_size=bands)

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        """Hypotheses with confidence. Raises ValueError above 30 s, and for an unsupported language."""
        found: dict[int, Hypothesis] = {}
        for (frames, language), places in self._groups(waves, languages).items():
            hypotheses = self._transcribe([waves[place] for place in places], frames, language)
            found.update(zip(places, hypotheses, strict=True))
        return [found[place] for place in range(len(waves))]

    def identify_language(self, waves: Sequence[Wave]) -> list[dict[str, float]]:
        """Probabilities of all languages of the model. Raises ValueError if it speaks only one."""
        if not self._model.model.is_multilingual:
            msg = f"{self.config.name} speaks one language only and cannot identify others"
            raise ValueError(msg)
        found: dict[int, dict[str, float]] = {}
        for (frames, _), places in self._groups(waves, [""] * len(waves)).items():
            ranked = self._model.model.detect_language(self._encode([waves[place] for place in places], frames))
            for place, pairs in zip(places, ranked, strict=True):
                found[place] = {token.strip("<|>"): probability for token, probability in pairs}
        return [found[place] for place in range(len(waves))]

    def _groups(self, waves: Sequence[Wave], languages: Sequence[str]) -> dict[tuple[int, str], list[int]]:
        """(window in frames, language) -> indices of the waves that are decoded together."""
        groups: dict[tuple[int, str], list[int]] = {}
        for place, (wave, language) in enumerate(zip(waves, languages, strict=True)):
            groups.setdefault((self._frames(len(wave) / SAMPLE_RATE), language), []).append(place)
        return groups

    def _frames(self, seconds: float) -> int:
        frames_per_second = SAMPLE_RATE // HOP
        if seconds * frames_per_second > MAX_FRAMES:
            msg = f"{self.config.name}: {seconds:.1f} s of audio, Whisper takes 30 s at most: lower max_seconds"
            raise ValueError(msg)
        grid = self.config.window_grid
        window = math.ceil((seconds + self.config.window_margin) / grid) * grid
        return min(MAX_FRAMES, round(window * frames_per_second / 2) * 2)  # the encoder halves the frame rate

    def _encode(self, waves: Sequence[Wave], frames: int) -> Any:
        """Encoder states of waves padded with silence to one window."""
        features = np.stack([self._log_mel(wave, frames) for wave in waves])
        return self._model.encode(np.ascontiguousarray(features))

    def _log_mel(self, wave: Wave, frames: int) -> npt.NDArray[np.float32]:
        """(mels, frames) float32. faster-whisper pads features with 0, which does not represent silence."""
        padded = np.pad(wave, (0, frames * HOP - len(wave)))
        features: npt.NDArray[np.float32] = self._model.feature_extractor(padded)[:, :frames]
        return features.astype(np.float32, copy=False)

    def _transcribe(self, waves: Sequence[Wave], frames: int, language: str) -> list[Hypothesis]:
        """Hypotheses of waves that share a window and a language."""
        from faster_whisper.transcribe import get_suppressed_tokens

        tokenizer = self._tokenizer(language)
        encoded = self._encode(waves, frames)
        prompt = self._model.get_prompt(tokenizer, [], without_timestamps=True)
        new_tokens = min(MAX_TOKENS, round(frames * HOP / SAMPLE_RATE * TOKENS_PER_SECOND))
        results = self._model.model.generate(
            encoded,
            [prompt] * len(waves),
            beam_size=self.config.beam_size,
            max_length=len(prompt) + new_tokens,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
        )
        hypotheses = [self._hypothesis(tokenizer, language, result) for result in results]
        if self.config.word_times:
            tokens = [result.sequences_ids[0] for result in results]
            lengths = [len(wave) // HOP for wave in waves]
            aligned = self._model.find_alignment(tokenizer, tokens, encoded, lengths)
            for hypothesis, pieces in zip(hypotheses, aligned, strict=True):
                hypothesis.words = _words(pieces)
        return hypotheses

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if self.languages is None or language not in self.languages:
            msg = f"{self.config.name} does not speak {language!r}"
            raise ValueError(msg)
        if language not in self._tokenizers:
            multilingual = self._model.model.is_multilingual
            self._tokenizers[language] = Tokenizer(self._model.hf_tokenizer, multilingual, "transcribe", language)
        return self._tokenizers[language]

    def _hypothesis(self, tokenizer: Any, language: str, result: Any) -> Hypothesis:
        tokens = result.sequences_ids[0]
        text = tokenizer.decode(tokens).strip()
        # CTranslate2 divides the sum of log probabilities by the number of tokens without the end token.
        log_probability = result.scores[0] * len(tokens) / (len(tokens) + 1) if tokens else result.scores[0]
        no_speech = {"no_speech_probability": round(result.no_speech_prob, DECIMALS)}
        return Hypothesis(
            system=self.config.name,
            text=text,
            language=language,
            confidence=round(math.exp(log_probability), DECIMALS),
            scores=no_speech | text_scores(text),
        )


def _words(pieces: Sequence[dict[str, Any]]) -> list[Word]:
    """Words in samples of the wave, each with the mean probability of its tokens.

    Marks join the word before, and so does text attached to it without a space, such as the end of `ill-disposed`.
    """
    words: list[Word] = []
    for piece in pieces:
        text = piece["word"].strip()
        start, end = (round(float(piece[side]) * SAMPLE_RATE) for side in ("start", "end"))
        probability = round(float(piece["probability"]), DECIMALS)
        spoken = any(character.isalnum() for character in text)
        if not words or (spoken and (piece["word"][0].isspace() or text[0].isalnum())):
            words.append(Word(text, start, end, probability))
        elif spoken:
            confidence = min(words[-1].confidence or 0.0, probability)
            words[-1] = Word(words[-1].text + text, words[-1].start, end, confidence)
        else:
            words[-1].text += text
    return words
