"""Omnilingual ASR inside its own environment; see `host.py`. Written for omnilingual-asr 0.2.0.

Settings: `card` (name of the model in its asset store), `device`, `batch_size`.
"""

from collections.abc import Callable, Sequence
from typing import Any

Answer = dict[str, str]


def load(settings: dict[str, Any]) -> Callable[[Sequence[Any], Sequence[str]], list[Answer]]:
    """Load the model, fetched by fairseq2 where it is missing; weights are read without pickles (its default)."""
    import numpy as np
    import torch
    from omnilingual_asr.models.inference.pipeline import ASRInferencePipeline

    on_cpu = settings["device"] == "cpu"
    pipeline = ASRInferencePipeline(
        model_card=settings["card"],
        device=settings["device"],
        dtype=torch.float32 if on_cpu else torch.bfloat16,
    )

    def transcribe(waves: Sequence[Any], languages: Sequence[str]) -> list[Answer]:
        inputs = [{"waveform": np.array(wave, dtype=np.float32), "sample_rate": 16000} for wave in waves]
        texts = pipeline.transcribe(inputs, lang=list(languages), batch_size=settings["batch_size"])
        return [{"text": text} for text in texts]

    return transcribe
