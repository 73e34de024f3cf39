"""NVIDIA NeMo: Canary (Transformer decoder) and Parakeet-TDT (transducer), from `.nemo` files.

Canary-1B-v2 is an `EncDecMultiTaskModel`: its prompt names the language. Parakeet-TDT-0.6B-v3 is an
`EncDecRNNTBPEModel` and identifies the language itself; it gives word times and confidences. Source: Sekoyan et al.
2025, "Canary-1B-v2 & Parakeet-TDT-0.6B-v3" (arXiv 2509.14128); code in nemo/collections/asr/models, version 3.0.0.

NeMo is an extra (`pip install 'curation[nemo]'`) and imported by `load` only: it takes 10 s of CPU time.
"""

import math
import os
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Package
from curation.core.settings import model_field
from curation.manifests.records import Hypothesis, Word
from curation.models.safe_load import Trust
from curation.models.store import resolve
from curation.models.threads import cpu_threads
from curation.stages.base import DECIMALS
from curation.stages.transcribe.base import AsrSystem, SystemConfig, by_language, needs_package, text_scores

EUROPEAN = "bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk"
"""The 25 languages of Canary-1B-v2 and Parakeet-TDT-0.6B-v3."""
MIN_SAMPLES = SAMPLE_RATE
"""NeMo pads shorter audio on both sides, which would move the words; here silence is appended."""
PROMPT_TOKEN = re.compile(r"<\|[^|>]*\|>")
"""Canary's output can contain one, e.g. `<|nospeech|>`."""
LEAST = 1e-6
"""Lower bound of confidences before their logarithm."""
CONFIDENCE = {
    "preserve_frame_confidence": True,
    "preserve_token_confidence": True,
    "preserve_word_confidence": True,
    "exclude_blank": True,
    "aggregation": "min",
    "method_cfg": {"name": "max_prob", "alpha": 1.0},
}
"""Probability of each token as its confidence, the minimum over a word's tokens as the word's."""
PROMPT = {
    "decodercontext": "",
    "emotion": "<|emo:undefined|>",
    "task": "<|transcribe|>",
    "pnc": "yes",
    "itn": "no",
    "timestamp": "no",
    "diarize": "no",
}
"""Slots of Canary's prompt formats that are not the language: punctuation and casing, and nothing else."""


class NemoConfig(SystemConfig):
    """Canary or Parakeet; the file says which."""

    kind: Literal["nemo"] = "nemo"
    model: str = model_field(..., "a .nemo file, or a folder or hf:REPO@REVISION that holds one")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the model runs")
    languages: list[str] = Field(
        default_factory=EUROPEAN.split,
        description="ISO 639-1 codes of the languages that the model was trained on, which the file lacks",
        min_length=1,
    )
    sha256: str = Field("", description="SHA-256 of the .nemo file; a pinned file may hold a pickle")
    allow_pickle: bool = Field(default=False, description="load a .nemo file that could run code: see docs")


class Nemo(AsrSystem):
    """Adapter for `EncDecMultiTaskModel` and `EncDecRNNTBPEModel`."""

    kind = "nemo"
    section = NemoConfig
    packages = (Package("nemo", "curation[nemo]"),)

    def __init__(self, config: NemoConfig) -> None:
        self.config: NemoConfig = config
        self.languages = frozenset(config.languages)
        self._model: Any = None
        self._prompt: dict[str, str] | None = None
        """Canary's prompt without the language; None for a transducer."""

    def load(self) -> None:
        """Load the model. Raises ModelError where NeMo or the file is missing, or the file cannot be trusted."""
        config = self.config
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        with needs_package(config.name, self.packages[0]):
            from curation.stages.transcribe.nemo.checkpoint import restore
        trust = Trust(config.sha256, config.allow_pickle, f"transcribe.systems {config.name}")
        self._model = restore(resolve(config.model), trust, config.device)
        if hasattr(self._model, "prompt"):
            self._prepare_canary()
        else:
            self._prepare_transducer()

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        """Hypotheses with confidence, word times from transducers. Raises ValueError for an unknown language."""
        strange = set(languages) - set(self.languages or ())
        if strange:
            msg = f"{self.config.name} does not speak {sorted(strange)}"
            raise ValueError(msg)
        if self._prompt is None:
            answers = self._run(waves, timestamps=True)
            return [self._hypothesis(*item) for item in zip(answers, waves, languages, strict=True)]
        return by_language(waves, languages, self._transcribe_canary)

    def _transcribe_canary(self, waves: Sequence[Wave], language: str) -> list[Hypothesis]:
        prompt = (self._prompt or {}) | {"source_lang": language, "target_lang": language}
        answers = self._run(waves, role="user", slots=prompt)
        return [self._hypothesis(answer, wave, language) for answer, wave in zip(answers, waves, strict=True)]

    def _run(self, waves: Sequence[Wave], **options: Any) -> list[Any]:
        """NeMo's own hypotheses, in order."""
        padded = [np.pad(wave, (0, max(0, MIN_SAMPLES - len(wave)))) for wave in waves]
        with cpu_threads(self.config.threads):
            answers: list[Any] = self._model.transcribe(
                padded, batch_size=len(padded), return_hypotheses=True, num_workers=0, verbose=False, **options
            )
        return answers

    def _prepare_canary(self) -> None:
        """Greedy search, because NeMo's beam search gives no confidences; only languages with a prompt token."""
        from omegaconf import OmegaConf

        decoding = OmegaConf.to_container(self._model.cfg.decoding, resolve=True)
        limit = (decoding.get("beam") or {}).get("max_generation_delta", -1)
        changes = {
            "strategy": "greedy",
            "greedy": {"max_generation_delta": limit, "preserve_token_confidence": True},
            "confidence_cfg": CONFIDENCE,
        }
        self._model.change_decoding_strategy(OmegaConf.create(decoding | changes))
        model_prompt = self._model.prompt
        known = {slot: value for slot, value in PROMPT.items() if slot in model_prompt.get_slots("user")}
        (defaults,) = model_prompt.get_default_dialog_slots()
        own = {slot: value for slot, value in defaults["slots"].items() if value is not None}
        self._prompt = known | own
        vocabulary = set(self._model.tokenizer.vocab)
        self.languages = frozenset(code for code in self.config.languages if f"<|{code}|>" in vocabulary)

    def _prepare_transducer(self) -> None:
        """Greedy search with times and confidences of words."""
        from omegaconf import OmegaConf

        decoding = OmegaConf.to_container(self._model.cfg.decoding, resolve=True)
        changes = {"strategy": "greedy_batch", "compute_timestamps": True, "confidence_cfg": CONFIDENCE}
        self._model.change_decoding_strategy(OmegaConf.create(decoding | changes), verbose=False)

    def _hypothesis(self, answer: Any, wave: Wave, language: str) -> Hypothesis:
        given = answer.token_confidence
        tokens = np.asarray([] if given is None else [float(value) for value in given])
        confidence = float(np.exp(np.log(np.clip(tokens, LEAST, 1)).mean())) if len(tokens) else 0.0
        text = " ".join(PROMPT_TOKEN.sub(" ", answer.text).split())
        return Hypothesis(
            system=self.config.name,
            text=text,
            language=language,
            confidence=round(confidence, DECIMALS),
            words=[] if self._prompt is not None else word_times(answer, len(wave)),
            scores=text_scores(text),
        )


def word_times(answer: Any, samples: int) -> list[Word]:
    """Words of a NeMo hypothesis with their times in samples of the wave, within 0..samples."""
    stamps = (answer.timestamp or {}).get("word", [])
    confidences = answer.word_confidence or []
    if len(confidences) != len(stamps):
        confidences = [None] * len(stamps)
    words = []
    for stamp, confidence in zip(stamps, confidences, strict=True):
        start, end = (min(max(round(float(stamp[side]) * SAMPLE_RATE), 0), samples) for side in ("start", "end"))
        value = None if confidence is None or math.isnan(confidence) else round(float(confidence), DECIMALS)
        words.append(Word(str(stamp["word"]), start, end, value))
    return words
