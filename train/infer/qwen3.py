"""Qwen3 weights run for generation: a KV cache, rows of different lengths without padding, few and large operations.

The same results as `Qwen3ForCausalLM` of transformers, to rounding (tests/train/infer/test_engine.py). What makes it
faster: q, k and v are one matrix product, gate and up another; the tokens of all rows, prompts included, go through
them as one flat list; queries of a group share a read of their keys; and only the last token of a row gets logits, only
for ids that the task allows (train/infer/sampling.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.core.errors import DataError
from curation.tokenize.files import key_problems, read_config, read_model_tensors, require
from curation.train.infer.kv_cache import KvCache
from curation.train.infer.linear import Projection

ALIKE = 1.25
"""Neighbouring slots share an attention call while padding them costs less than this factor."""


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


@dataclass(frozen=True, slots=True)
class NextTokens:
    """The next `count` tokens of the sequence in `slot`: its whole prompt, or one."""

    slot: int
    count: int


class Qwen3Decoder:
    """Qwen3 for inference. `head` (vocabulary, hidden) is the output matrix, the embedding where they are tied."""

    def __init__(self, sizes: Sizes, tensors: Mapping[str, Tensor], dtype: torch.dtype, device: str = "cpu") -> None:
        """Take the weights of a checkpoint. Raises DataError that names every tensor that is not as it should be."""
        expected = {name: torch.empty(shape, device="meta") for name, shape in _shapes(sizes).items()}
        if problems := key_problems(expected, tensors, ["lm_head.weight"] if sizes.tied else []):
            msg = f"the weights are not those that config.json describes: {'; '.join(problems)}"
            raise DataError(msg)
        self.sizes, self.dtype, self.device = sizes, dtype, device
        state = {name.removeprefix("model."): value.to(device, dtype) for name, value in tensors.items()}
        self.embedding = state["embed_tokens.weight"]
        self.head = self.embedding if sizes.tied else state["lm_head.weight"]
        self.layers = [_layer(state, f"layers.{index}.", sizes) for index in range(sizes.layers)]
        self.norm = state["norm.weight"]
        self.cos, self.sin = _rotations(sizes, dtype, device)

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype, device: str = "cpu") -> "Qwen3Decoder":
        """Read config.json and the weights of a folder. Raises DataError where a tensor is missing or misshapen."""
        return cls(Sizes.read(folder / "config.json"), read_model_tensors(folder), dtype, device)

    def new_cache(self, slots: int, length: int) -> KvCache:
        """Make an empty cache for this network."""
        sizes = self.sizes
        return KvCache(sizes.layers, slots, sizes.kv_heads, length, sizes.head_dim, self.dtype, self.device)

    def forward(self, ids: Sequence[int], rows: Sequence[NextTokens], cache: KvCache) -> Tensor:
        """Read the next tokens of some sequences; gives the hidden state of the last one of each: (rows, hidden).

        `ids` are the tokens of all rows behind one another. A row of several tokens must be the first of its slot.
        """
        step = _Step.plan(rows, cache, self.dtype, self.device)
        cos, sin = self.cos[step.positions, None], self.sin[step.positions, None]
        x = self.embedding[torch.tensor(ids, device=self.device)]
        for index, layer in enumerate(self.layers):
            normed = self._normed(x, layer.before_attention)
            heard = self._attention(index, layer, normed, (cos, sin), step, cache)
            if index == self.sizes.layers - 1:  # the rest is per token: only the last ones count
                x, heard = x[step.last], heard[step.last]
            x = x + layer.out(heard)
            gate, up = layer.gate_up(self._normed(x, layer.before_mlp)).chunk(2, dim=-1)
            x = x + layer.down(F.silu(gate) * up)
        for row in rows:
            cache.lengths[row.slot] += row.count
        return self._normed(x, self.norm)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, weight.shape, weight, self.sizes.eps)

    def _attention(
        self, index: int, layer: Layer, x: Tensor, rotation: tuple[Tensor, Tensor], step: "_Step", cache: KvCache
    ) -> Tensor:
        sizes = self.sizes
        mixed = layer.qkv(x).view(len(x), -1, sizes.head_dim)
        turned, values = mixed.tensor_split([sizes.heads + sizes.kv_heads], dim=1)
        turned = F.rms_norm(turned, (sizes.head_dim,), None, sizes.eps) * layer.query_key
        cos, sin = rotation
        turned = torch.addcmul(turned * cos, turned.roll(sizes.head_dim // 2, -1), sin)
        queries, keys = turned.tensor_split([sizes.heads], dim=1)
        cache.write(index, step.slots, step.positions, keys, values)
        out = torch.empty_like(queries)
        for prompt in step.prompts:
            out[prompt] = _attend_to_itself(queries[prompt], keys[prompt], values[prompt])
        grouped = queries.view(len(queries), sizes.kv_heads, -1, sizes.head_dim)
        for group in step.groups:
            known = (
                cache.keys[index][group.slots, :, : group.length],
                cache.values[index][group.slots, :, : group.length],
            )
            seen = F.scaled_dot_product_attention(grouped[group.tokens], *known, attn_mask=group.mask)
            out[group.tokens] = seen.flatten(1, 2)
        return out.flatten(1)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of one token each in neighbouring slots. `mask` (rows, 1, 1, length) is None where all are equally long."""

    tokens: slice
    slots: slice
    length: int
    mask: Tensor | None


@dataclass(frozen=True, slots=True)
class _Step:
    """Where the tokens of a step belong; the same for every layer."""

    slots: Tensor
    positions: Tensor
    last: Tensor
    prompts: list[slice]
    groups: list[_Group]

    @classmethod
    def plan(cls, rows: Sequence[NextTokens], cache: KvCache, dtype: torch.dtype, device: str) -> "_Step":
        slots: list[int] = []
        positions: list[int] = []
        last, prompts, singles = [], [], []
        for row in rows:
            known, first = cache.lengths[row.slot], len(slots)
            if row.count > 1:
                if known:
                    msg = f"slot {row.slot} holds {known} tokens already: only a first row may have several"
                    raise ValueError(msg)
                prompts.append(slice(first, first + row.count))
            else:
                singles.append((first, row.slot, known + 1))
            slots += [row.slot] * row.count
            positions += range(known, known + row.count)
            last.append(len(slots) - 1)
        if positions and max(positions) >= cache.length:
            msg = f"a sequence outgrows the cache of {cache.length} tokens"
            raise ValueError(msg)
        where, when, ends = (torch.tensor(values, device=device) for values in (slots, positions, last))
        groups = [_group(members, dtype, device) for members in _neighbours(singles)]
        return cls(where, when, ends, prompts, groups)


def _neighbours(singles: Sequence[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Cut (token, slot, length) of single tokens into groups of consecutive tokens and slots of like lengths."""
    group: list[tuple[int, int, int]] = []
    for single in singles:
        token, slot, _ = single
        follows = group and (token, slot) == (group[-1][0] + 1, group[-1][1] + 1)
        lengths = [length for _, _, length in [*group, single]]
        if group and not (follows and max(lengths) * len(lengths) <= ALIKE * sum(lengths)):
            yield group
            group = []
        group.append(single)
    if group:
        yield group


def _group(members: Sequence[tuple[int, int, int]], dtype: torch.dtype, device: str) -> _Group:
    token, slot, _ = members[0]
    lengths = torch.tensor([length for _, _, length in members], device=device)
    longest = int(lengths.max())
    mask = None
    if int(lengths.min()) < longest:
        hidden = torch.arange(longest, device=device) >= lengths[:, None]
        mask = torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill_(hidden, -torch.inf)[:, None, None]
    return _Group(slice(token, token + len(members)), slice(slot, slot + len(members)), longest, mask)


def _attend_to_itself(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Causal attention within a prompt: (tokens, heads or kv_heads, head_dim) each -> (tokens, heads, head_dim)."""
    q, k, v = (x.transpose(0, 1)[None] for x in (queries, keys, values))
    heard = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    return heard[0].transpose(0, 1)


def _shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
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


def _layer(state: Mapping[str, Tensor], prefix: str, sizes: Sizes) -> Layer:
    def part(name: str) -> Tensor:
        return state[f"{prefix}{name}.weight"]

    norms = [part("self_attn.q_norm").expand(sizes.heads, -1), part("self_attn.k_norm").expand(sizes.kv_heads, -1)]
    return Layer(
        before_attention=part("input_layernorm"),
        qkv=Projection(torch.cat([part(f"self_attn.{name}_proj") for name in "qkv"])),
        query_key=torch.cat(norms),
        out=Projection(part("self_attn.o_proj")),
        before_mlp=part("post_attention_layernorm"),
        gate_up=Projection(torch.cat([part("mlp.gate_proj"), part("mlp.up_proj")])),
        down=Projection(part("mlp.down_proj")),
    )


def _rotations(sizes: Sizes, dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
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
