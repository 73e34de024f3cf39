"""SeamlessM4T v2 (Meta 2023, arXiv 2312.05187) through transformers, speech to text in the spoken language.

A folder in the layout of the Hub's facebook/seamless-m4t-v2-large. Only the speech encoder and the text decoder are
loaded, from safetensors.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Package
from curation.core.errors import ModelError
from curation.core.settings import model_field
from curation.manifests.records import Hypothesis
from curation.models.store import resolve
from curation.models.threads import cpu_threads
from curation.models.torch_compat import import_torchaudio
from curation.stages.base import DECIMALS
from curation.stages.transcribe.base import AsrSystem, SystemConfig, by_language, needs_package, text_scores
from curation.text.languages import three_letters

MIN_SAMPLES = SAMPLE_RATE // 10
"""Shorter waves are padded with silence: the feature extractor needs two frames."""
MAX_TOKENS = 256
"""As in the official configuration; one limit for all, because a limit by the longest would change the others."""


class SeamlessConfig(SystemConfig):
    """SeamlessM4T v2."""

    kind: Literal["seamless"] = "seamless"
    name: str = Field("seamless-m4t-v2", description="name of the system in hypotheses; unique", min_length=1)
    model: str = model_field("hf:facebook/seamless-m4t-v2-large", "folder or Hub repository")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the model runs")
    dtype: Literal["float32", "float16", "bfloat16"] = Field("float32", description="type of the weights")
    beam_size: int = Field(5, description="beams of the search; 1: greedy", ge=1)


class Seamless(AsrSystem):
    """Adapter for `SeamlessM4Tv2ForSpeechToText`."""

    kind = "seamless"
    section = SeamlessConfig
    packages = (Package("sentencepiece", "curation[seamless]"),)

    def __init__(self, config: SeamlessConfig) -> None:
        self.config: SeamlessConfig = config
        self._model: Any = None
        self._processor: Any = None
        self._codes: dict[str, str] = {}

    def load(self) -> None:
        """Load model, processor and list of languages. Raises ModelError where files are missing."""
        import torch

        import_torchaudio()
        with needs_package(self.config.name, self.packages[0]):
            import sentencepiece  # noqa: F401 - transformers reads the tokenizer with it
        from transformers import SeamlessM4TProcessor, SeamlessM4Tv2ForSpeechToText

        folder = resolve(self.config.model)
        try:
            self._processor = SeamlessM4TProcessor.from_pretrained(folder, local_files_only=True)
            model = SeamlessM4Tv2ForSpeechToText.from_pretrained(
                folder, dtype=getattr(torch, self.config.dtype), local_files_only=True, use_safetensors=True
            )
        except OSError as error:
            msg = f"{self.config.name}: {folder} is not a SeamlessM4T v2 folder: {error}"
            raise ModelError(msg) from error
        self._model = model.to(self.config.device).eval()
        self._codes = three_letters(set(model.generation_config.text_decoder_lang_to_code_id))
        self.languages = frozenset(self._codes)

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        """Hypotheses with confidence. Raises ValueError for an unsupported language."""
        strange = sorted(set(languages) - set(self._codes))
        if strange:
            msg = f"{self.config.name} does not speak {strange}"
            raise ValueError(msg)
        return by_language(waves, languages, self._transcribe)

    def _transcribe(self, waves: Sequence[Wave], language: str) -> list[Hypothesis]:
        """Hypotheses of waves in one language."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        with torch.inference_mode(), cpu_threads(self.config.threads):
            states, mask = self._encode(waves)
            output = self._model.generate(
                inputs=None,
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                attention_mask=mask,
                tgt_lang=self._codes[language],
                num_beams=self.config.beam_size,
                max_new_tokens=MAX_TOKENS,
                do_sample=False,
            )
            confidences = [
                self._confidence(states[place : place + 1], mask[place : place + 1], tokens, self._codes[language])
                for place, tokens in enumerate(output)
            ]
        texts = self._processor.batch_decode(output, skip_special_tokens=True)
        return [
            Hypothesis(
                self.config.name, text.strip(), language, round(value, DECIMALS), scores=text_scores(text.strip())
            )
            for text, value in zip(texts, confidences, strict=True)
        ]

    def _encode(self, waves: Sequence[Wave]) -> tuple[Any, Any]:
        """Encoder states (waves, frames, size), zeros after the end, and the mask of the features (waves, more
        frames), from which the model derives that of the states.

        One wave at a time: in a batch the states after a shorter wave's end leak into it through the convolution that
        shortens the sequence (transformers 5.24), and change the text.
        """
        from torch.nn.utils.rnn import pad_sequence

        states, masks = [], []
        for wave in waves:
            padded = np.pad(wave, (0, max(0, MIN_SAMPLES - len(wave))))
            inputs = self._processor(audio=[padded], sampling_rate=SAMPLE_RATE, return_tensors="pt")
            features = inputs["input_features"].to(self.config.device, self._model.dtype)
            mask = inputs["attention_mask"].to(self.config.device)
            encoded = self._model.speech_encoder(input_features=features, attention_mask=mask)
            states.append(encoded.last_hidden_state[0])
            masks.append(mask[0])
        return pad_sequence(states, batch_first=True), pad_sequence(masks, batch_first=True)

    def _confidence(self, states: Any, mask: Any, tokens: Any, code: str) -> float:
        """Geometric mean of the probabilities of the tokens after the language token, the end included.

        Recomputed from the finished text: kept from the search, the scores of 256,000 pieces per step and beam would
        take 20 GB for a batch of 16.
        """
        from transformers.modeling_outputs import BaseModelOutput

        settings = self._model.generation_config
        tokens = tokens[tokens != settings.pad_token_id]
        first = tokens.tolist().index(settings.text_decoder_lang_to_code_id[code]) + 1
        if len(tokens) == first:
            return 0.0
        logits = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=mask,
            decoder_input_ids=tokens[None, :-1],
        ).logits[0, first - 1 :]
        chosen = logits.float().log_softmax(dim=-1).gather(1, tokens[first:, None])
        return float(chosen.mean().exp())
