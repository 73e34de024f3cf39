"""Moonshine (Jeffries et al. 2024, arXiv 2410.15608), English, run directly from its two ONNX Runtime graphs.

The graphs and the tokenizer come from the moonshine-voice wheel. Its own `Transcriber` is not used: it cuts the
utterance by a voice activity detector whose state outlives the call (so results depend on earlier calls), emits stray
words for the fragments, caps short utterances at 6.5 tokens/s, gives no probabilities, and leaks 2 MB per call.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources
from curation.core.settings import model_field
from curation.manifests.records import Hypothesis
from curation.models.store import resolve
from curation.stages.base import DECIMALS
from curation.stages.transcribe.base import AsrSystem, SystemConfig, text_scores

START, END = 1, 2
MIN_SAMPLES = SAMPLE_RATE // 10
"""Shorter waves are padded with silence: the convolutions at the input need about 60 ms."""
MAX_SECONDS = 30
TOKENS_PER_SECOND = 16
EXTRA_TOKENS = 8


class MoonshineConfig(SystemConfig):
    """Moonshine: English only, greedy search, one utterance at a time (its int8 scales are taken per tensor)."""

    kind: Literal["moonshine"] = "moonshine"
    name: str = Field("moonshine-tiny", description="name of the system in hypotheses; unique", min_length=1)
    model: str = model_field("moonshine-tiny.en", "folder with encoder_model.ort, decoder_model_merged.ort")


class Moonshine(AsrSystem):
    """Adapter for the Moonshine models that have an encoder and a merged decoder graph."""

    kind = "moonshine"
    section = MoonshineConfig
    max_seconds = MAX_SECONDS
    resources = Resources(memory_gib=0.15)

    def __init__(self, config: MoonshineConfig) -> None:
        self.config: MoonshineConfig = config
        self.languages = frozenset({"en"})
        self._encoder: Any = None
        self._decoder: Any = None
        self._tokens: list[bytes] = []
        self._cache: dict[str, npt.NDArray[np.float32]] = {}

    def load(self) -> None:
        """Open both graphs and the token table."""
        folder = resolve(self.config.model)
        self._encoder = self._session(folder / "encoder_model.ort")
        self._decoder = self._session(folder / "decoder_model_merged.ort")
        self._tokens = read_tokens(folder / "tokenizer.bin")
        caches = [item for item in self._decoder.get_inputs() if item.name.startswith("past_key_values.")]
        self._cache = {item.name: np.zeros((1, item.shape[1], 1, item.shape[3]), np.float32) for item in caches}

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        """Hypotheses with confidence and no word times. Raises ValueError above 30 s."""
        if set(languages) - {"en"}:
            msg = f"{self.config.name} speaks English only, not {sorted(set(languages))}"
            raise ValueError(msg)
        return [self._transcribe(wave) for wave in waves]

    def _session(self, path: Path) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.config.threads
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def _transcribe(self, wave: Wave) -> Hypothesis:
        if len(wave) > MAX_SECONDS * SAMPLE_RATE:
            msg = f"{self.config.name}: {len(wave) / SAMPLE_RATE:.1f} s of audio, it takes {MAX_SECONDS} s at most"
            raise ValueError(msg)
        padded = np.pad(wave, (0, max(0, MIN_SAMPLES - len(wave))))
        ids, log_probabilities = self._decode(padded.astype(np.float32, copy=False))
        joined = b"".join(self._tokens[token] for token in ids if token > END)
        text = joined.decode("utf-8", errors="ignore").replace("\u2581", " ").strip()
        return Hypothesis(
            system=self.config.name,
            text=text,
            language="en",
            confidence=round(math.exp(float(np.mean(log_probabilities))), DECIMALS),
            scores=text_scores(text),
        )

    def _decode(self, wave: Wave) -> tuple[list[int], list[float]]:
        """Greedy search: token ids and their log probabilities, the end token included."""
        mask = np.ones((1, len(wave)), np.int64)
        (encoded,) = self._encoder.run(None, {"input_values": wave[None], "attention_mask": mask})
        fixed = {"encoder_attention_mask": mask, "encoder_hidden_states": encoded}
        names = [output.name.replace("present.", "past_key_values.") for output in self._decoder.get_outputs()]
        cache = dict(self._cache)
        ids, log_probabilities = [START], []
        for step in range(math.ceil(len(wave) / SAMPLE_RATE * TOKENS_PER_SECOND) + EXTRA_TOKENS):
            inputs = {"input_ids": np.array([ids[-1:]]), "use_cache_branch": np.array([step > 0])}
            logits, *present = self._decoder.run(None, fixed | inputs | cache)
            updates = zip(names[1:], present, strict=True)
            # Later steps return empty keys for the encoder: keep those of the first.
            cache |= {name: value for name, value in updates if step == 0 or ".decoder." in name}
            scores = logits[0, -1].astype(np.float64)
            ids.append(int(scores.argmax()))
            log_probabilities.append(-float(np.log(np.exp(scores - scores.max()).sum())))
            if ids[-1] == END:
                break
        return ids[1:], log_probabilities


def read_tokens(path: Path) -> list[bytes]:
    """The token table: each entry is its length (one byte; two, low 7 bits first, from 128 on) and its bytes."""
    data = path.read_bytes()
    tokens, place = [], 0
    while place < len(data):
        length = data[place]
        place += 1
        if length >= 128:
            length += data[place] * 128 - 128
            place += 1
        tokens.append(data[place : place + length])
        place += length
    return tokens
