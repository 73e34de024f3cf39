"""The model: transformers' Qwen3 in three sizes, with an embedding for each id of the vocabulary.

    model = build_model("tiny", vocabulary.size, end=vocabulary.end)

A checkpoint is a plain Qwen3 checkpoint: `AutoModelForCausalLM.from_pretrained` opens it unchanged.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

import torch
from torch import nn

from curation.core.errors import DataError
from curation.models.torch_compat import import_torchaudio

Preset = Literal["tiny", "gpa-0.3b", "3b"]


class Config(Protocol):
    """What is used of transformers' `Qwen3Config`."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    head_dim: int
    eos_token_id: int | None
    architectures: list[str] | None
    dtype: str | torch.dtype | None
    _attn_implementation: str

    def save_pretrained(self, folder: Path) -> None:
        """Write `config.json`."""
        ...


class Decoder(nn.Module):
    """What is used of transformers' `Qwen3Model`. For annotations only: no model is made of it."""

    layers: nn.ModuleList


class Qwen3(nn.Module):
    """What is used of transformers' `Qwen3ForCausalLM`. For annotations only: no model is made of it."""

    config: Config
    model: Decoder
    lm_head: nn.Linear
    device: torch.device
    get_input_embeddings: Callable[[], nn.Embedding]
    activation_checkpointing_enable: Callable[[dict[str, bool]], None]


@dataclass(frozen=True)
class Shape:
    """Sizes of a Qwen3 model, under the names of its configuration file."""

    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int = 32_768
    rope_theta: float = 1_000_000.0


PRESETS: dict[Preset, Shape] = {
    # For a CPU: 3 M parameters without the embedding. Utterances are a few hundred tokens, so a small theta
    # spreads the rotations over distances that occur.
    "tiny": Shape(4, 256, 768, 4, 2, 64, max_position_embeddings=4096, rope_theta=10_000.0),
    # GPA's release: 312,625,152 parameters with its vocabulary.
    "gpa-0.3b": Shape(28, 512, 3072, 16, 8, 128),
    # The paper's 3B was not published. This one has 3.1 billion parameters with the official vocabulary. Every width is
    # a multiple of 512 (tensor cores), heads and key-value heads divide by 8 (tensor parallelism when served), and
    # with 8 key-value heads in 32 layers a second of speech (50 tokens) costs 6.6 MB of cache in bfloat16.
    "3b": Shape(32, 2560, 8192, 24, 8, 128),
}

LEARNING_RATES: dict[Preset, float] = {"tiny": 2e-3, "gpa-0.3b": 6e-4, "3b": 2e-4}
"""Peak learning rates for AdamW; smaller for wider models, as is usual."""
FINE_TUNING = 1 / 60
"""Of that, the rate of fine-tuning: GPA's release pretrains 0.3B at 6e-4 and fine-tunes it at 1e-5, larger ones at
3e-6. The full rate would undo what the model has learned before the new recordings teach it anything."""

ADAPTERS = 10
"""Times these, the rate of low-rank adapters: the best over many models and data in Schulman et al. 2025, "LoRA without
regret"."""


def model_config(preset: Preset, vocabulary_size: int, end: int | None = None) -> Config:
    """The `Qwen3Config` of a preset; `end` is the id that ends a sequence. Embeddings are tied, as in GPA."""
    import_torchaudio()  # transformers imports it, and fails where it cannot be loaded
    from transformers import Qwen3Config

    sizes = asdict(PRESETS[preset])
    theta = sizes.pop("rope_theta")
    config: Config = Qwen3Config(
        **sizes,
        vocab_size=vocabulary_size,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        eos_token_id=end,
        bos_token_id=None,
        pad_token_id=None,
    )
    return config


def build_model(preset: Preset, vocabulary_size: int, end: int | None = None, *, seed: int = 0) -> Qwen3:
    """A new `Qwen3ForCausalLM` in float32 with random weights that depend on the seed only."""
    config = model_config(preset, vocabulary_size, end)
    from transformers import Qwen3ForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cast("Qwen3", Qwen3ForCausalLM(config))


def open_model(folder: str) -> Qwen3:
    """The model of a checkpoint folder, in float32. Raises DataError where its files are missing or damaged."""
    import_torchaudio()
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # it would interfere with that of training
    try:
        return cast("Qwen3", AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever the values of a damaged configuration lead to
        msg = f"{folder}: config.json and the weights beside it cannot be opened ({error}): restore them from a copy"
        raise DataError(msg) from error


def num_parameters(model: nn.Module) -> int:
    """Parameters; tied ones count once."""
    return sum(parameter.numel() for parameter in model.parameters())
