"""Which models need a GPU, and what happens on a node without one: an error, or the CPU if `engine.gpu_fallback` is on.

    config, note = for_this_machine(config)     # in the process that will load the models

Never silent: the note goes into the affected rows and the log.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from curation.core.errors import ModelError
from curation.pipeline.config import BuildConfig, validate

NOTE = "engine.gpu_fallback"
HALF_PRECISION = ("float16", "bfloat16", "int8_float16", "int8_bfloat16", "fp16", "bf16")
"""Weight types that CPUs do not support."""


def on_gpu(config: BuildConfig) -> list[str]:
    """Settings that put a model on a GPU, e.g. `transcribe.systems.whisper-large-v3` and `tokenize`."""
    return [path for path, _ in _sections(config.model_dump(mode="json"))]


def for_this_machine(config: BuildConfig, *, only: tuple[str, ...] = ("",)) -> tuple[BuildConfig, str]:
    """The configuration as this machine can run it, and what was changed (empty: nothing).

    It looks at all sections, or `only` at those whose path begins so. Raises ModelError where a GPU is needed, none is
    here, and `engine.gpu_fallback` is off.
    """
    values = config.model_dump(mode="json")
    wanting = [(path, section) for path, section in _sections(values) if f"{path}.".startswith(only)]
    if not wanting or has_gpu():
        return config, ""
    names = ", ".join(path for path, _ in wanting)
    if not config.engine.gpu_fallback:
        msg = (
            f"no GPU here, but these have device: cuda: {names}. Run on a node with a GPU and a CUDA build of torch "
            f"(engine.worker_gpus makes Ray choose one), or set engine.gpu_fallback to run them on the CPU"
        )
        raise ModelError(msg)
    for _, section in wanting:
        section["device"] = "cpu"
        for key in ("compute_type", "dtype"):
            if section.get(key) in HALF_PRECISION:
                section[key] = "float32"
    return validate(values, NOTE), f"no GPU: ran on the CPU: {names}"


@cache
def has_gpu() -> bool:
    """Whether torch sees a GPU in this process."""
    import torch

    return bool(torch.cuda.is_available())


def _sections(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        if value.get("device") == "cuda":
            yield path, value
        for key, item in value.items():
            yield from _sections(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            name = item.get("name", number) if isinstance(item, dict) else number
            yield from _sections(item, f"{path}.{name}")
