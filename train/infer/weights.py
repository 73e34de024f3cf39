"""The weights of a Qwen3 checkpoint, checked and laid out for generation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curation.core.errors import ConfigError, DataError
from curation.tokenize.files import read_config, require
from curation.train.infer.linear import Int8Projection, Projection


@dataclass(frozen=True, slots=True)
class Sizes:
    """The network according to config.json."""

    layers: int
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    positions: int
    eps: float
    theta: float
    tied: bool
    """Whether the embedding is the output matrix too."""

    @classmethod
    def read(cls, path: Path) -> "Sizes":
        """Read a config.json. Raises DataError for anything but a plain Qwen3."""
        config = read_config(path)
        _refuse_unknown(config, path)
        rope = config.get("rope_parameters") or {}
        return cls(
            layers=require(config, "num_hidden_layers", path),
            hidden=require(config, "hidden_size", path),
            inner=require(config, "intermediate_size", path),
            heads=require(config, "num_attention_heads", path),
            kv_heads=require(config, "num_key_value_heads", path),
            head_dim=require(config, "head_dim", path),
            vocabulary=require(config, "vocab_size", path),
            positions=require(config, "max_position_embeddings", path),
            eps=require(config, "rms_norm_eps", path),
            theta=rope.get("rope_theta") or require(config, "rope_theta", path),
            tied=bool(config.get("tie_word_embeddings", False)),
        )


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer. `qkv` and `gate_up` are the checkpoint's matrices on top of one another."""

    before_attention: Tensor
    qkv: Projection
    query_key: Tensor
    """(heads + kv_heads, head_dim): the norm of each query and key head."""
    out: Projection
    before_mlp: Tensor
    gate_up: Projection
    down: Projection


def precision(dtype: str, device: str) -> torch.dtype:
    """Of everything that is not int8, by name; empty: the usual one of the device. Raises ConfigError for int8 where
    it does not run.
    """
    usual = "float32" if device == "cpu" else "bfloat16"
    if dtype == "int8" and (device != "cpu" or "fbgemm" not in torch.backends.quantized.supported_engines):
        msg = f"int8 weights run on an x86 CPU only, not on {device} here: leave int8 out, or choose the device cpu"
        raise ConfigError(msg)
    kind: torch.dtype = getattr(torch, usual if dtype in {"", "int8"} else dtype)
    return kind


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of `Qwen3ForCausalLM`."""
    queries, keys = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    table = (sizes.vocabulary, sizes.hidden)
    whole = {"model.embed_tokens.weight": table, "model.norm.weight": (sizes.hidden,), "lm_head.weight": table}
    parts: dict[str, tuple[int, ...]] = {
        "input_layernorm": (sizes.hidden,),
        "self_attn.q_proj": (queries, sizes.hidden),
        "self_attn.k_proj": (keys, sizes.hidden),
        "self_attn.v_proj": (keys, sizes.hidden),
        "self_attn.o_proj": (sizes.hidden, queries),
        "self_attn.q_norm": (sizes.head_dim,),
        "self_attn.k_norm": (sizes.head_dim,),
        "post_attention_layernorm": (sizes.hidden,),
        "mlp.gate_proj": (sizes.inner, sizes.hidden),
        "mlp.up_proj": (sizes.inner, sizes.hidden),
        "mlp.down_proj": (sizes.hidden, sizes.inner),
    }
    layers = range(sizes.layers)
    return whole | {f"model.layers.{i}.{name}.weight": shape for i in layers for name, shape in parts.items()}


def read_layer(state: Mapping[str, Tensor], prefix: str, sizes: Sizes, *, int8: bool = False) -> Layer:
    """Take one layer's weights, whose names begin with `prefix`. `int8`: its matrices in 8 bits."""
    projection = Int8Projection if int8 else Projection

    def part(name: str) -> Tensor:
        return state[f"{prefix}{name}.weight"]

    norms = [part("self_attn.q_norm").expand(sizes.heads, -1), part("self_attn.k_norm").expand(sizes.kv_heads, -1)]
    return Layer(
        before_attention=part("input_layernorm"),
        qkv=projection(torch.cat([part(f"self_attn.{name}_proj") for name in "qkv"])),
        query_key=torch.cat(norms),
        out=projection(part("self_attn.o_proj")),
        before_mlp=part("post_attention_layernorm"),
        gate_up=projection(torch.cat([part("mlp.gate_proj"), part("mlp.up_proj")])),
        down=projection(part("mlp.down_proj")),
    )


def rotations(sizes: Sizes, dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """Cos and signed sin (positions, head_dim): rotating a head is x·cos + roll(x, half)·sin."""
    half = torch.arange(0, sizes.head_dim, 2, dtype=torch.float32) / sizes.head_dim
    angles = torch.arange(sizes.positions, dtype=torch.float32)[:, None] * (1.0 / sizes.theta**half)
    cos, sin = angles.cos(), angles.sin()
    tables = torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)
    return tables[0].to(device, dtype), tables[1].to(device, dtype)


def _refuse_unknown(config: Mapping[str, Any], path: Path) -> None:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    expected = (
        ("model_type", config.get("model_type"), {"qwen3"}),
        ("hidden_act", config.get("hidden_act", "silu"), {"silu"}),
        ("attention_bias", config.get("attention_bias", False), {False}),
        ("use_sliding_window", config.get("use_sliding_window", False), {False}),
        ("rope type", rope.get("rope_type", rope.get("type", "default")), {"default"}),
    )
    for field, value, known in expected:
        if value not in known:
            msg = f"{path}: {field} is {value!r}; this decoder runs Qwen3 with {field} {known.pop()!r} only"
            raise DataError(msg)
