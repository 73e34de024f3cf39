"""Qwen3 weights run for generation: a KV cache, rows of different lengths without padding, few and large operations.

The same results as `Qwen3ForCausalLM` of transformers, to rounding (tests/train/infer/test_engine.py). What makes it
faster: q, k and v are one matrix product, gate and up another; the tokens of all rows, prompts included, go through
them as one flat list; queries of a group share a read of their keys; and only the last token of a row gets logits, only
for ids that the task allows (train/infer/sampling.py).

`forward` takes rows of any lengths, as a list of the host. `decode` takes one token of each row, as tensors, and reads
nothing on the host, so that its kernels can be captured (train/infer/decoding.py).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the customary name
from torch.utils._triton import has_triton

from curation.core.errors import DataError
from curation.tokenize.files import key_problems, read_model_tensors
from curation.train.infer.attention import Attention, Flash, Masked, NextTokens, attention_for, is_half_on_gpu
from curation.train.infer.kv_cache import KvCache, Room
from curation.train.infer.weights import Layer, Sizes, read_layer, rotations, shapes

log = logging.getLogger(__name__)


class Qwen3Decoder:
    """Qwen3 for inference. `head` (vocabulary, hidden) is the output matrix, the embedding where they are tied."""

    def __init__(
        self,
        sizes: Sizes,
        tensors: Mapping[str, Tensor],
        dtype: torch.dtype,
        device: str = "cpu",
        *,
        int8: bool = False,
    ) -> None:
        """Take the weights of a checkpoint. Raises DataError that names every tensor that is not as it should be.

        `int8`: matrices in 8 bits, for a CPU and float32.
        """
        expected = {name: torch.empty(shape, device="meta") for name, shape in shapes(sizes).items()}
        if problems := key_problems(expected, tensors, ["lm_head.weight"] if sizes.tied else []):
            msg = f"the weights are not those that config.json describes: {'; '.join(problems)}"
            raise DataError(msg)
        self.sizes, self.dtype, self.device, self.int8 = sizes, dtype, device, int8
        state = {name.removeprefix("model."): value.to(device, dtype) for name, value in tensors.items()}
        self.embedding = state["embed_tokens.weight"]
        self.head = self.embedding if sizes.tied else state["lm_head.weight"]
        self.layers = [read_layer(state, f"layers.{index}.", sizes, int8=int8) for index in range(sizes.layers)]
        self.precise = torch.promote_types(dtype, torch.float32)
        """The precision of hidden states that go to the output matrix."""
        self.norm = state["norm.weight"].to(self.precise)
        self.cos, self.sin = rotations(sizes, dtype, device)

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype, device: str = "cpu", *, int8: bool = False) -> "Qwen3Decoder":
        """Read config.json and the weights of a folder. Raises DataError where a tensor is missing or misshapen."""
        return cls(Sizes.read(folder / "config.json"), read_model_tensors(folder), dtype, device, int8=int8)

    def new_cache(self, slots: int, length: int) -> KvCache:
        """Make an empty cache for this network."""
        sizes = self.sizes
        return KvCache(sizes.layers, slots, sizes.kv_heads, length, sizes.head_dim, self.dtype, self.device)

    def forward(self, ids: Sequence[int], rows: Sequence[NextTokens], cache: KvCache) -> Tensor:
        """Read the next tokens of some sequences; gives the hidden state of the last one of each: (rows, hidden).

        `ids` are the tokens of all rows behind one another. The states are in float32 or better.
        """
        slots: list[int] = []
        positions: list[int] = []
        last = []
        for row in rows:
            known = cache.lengths[row.slot]
            slots += [row.slot] * row.count
            positions += range(known, known + row.count)
            last.append(len(slots) - 1)
        if positions and max(positions) >= cache.length:
            msg = f"a sequence outgrows the cache of {cache.length} tokens"
            raise ValueError(msg)
        place = torch.tensor([ids, slots, positions], device=self.device)
        ends = torch.tensor(last, device=self.device)
        hidden = self._through(place, attention_for(rows, cache), cache, ends)
        for row in rows:
            cache.lengths[row.slot] += row.count
        return hidden

    def decode(self, place: Tensor, cache: KvCache) -> Tensor:
        """Read one token of each row: hidden states (rows, hidden), as `forward`.

        `place` (3, rows) int64: the token, its slot, and its position there, which is how many tokens the slot holds.
        `cache.lengths` neither counts nor is changed.
        """
        _, slots, positions = place
        attention: Attention = Masked(cache, slots, positions + 1)
        if is_half_on_gpu(self.embedding):
            offsets = torch.arange(len(slots) + 1, device=slots.device)
            attention = Flash(cache, slots, positions + 1, offsets, 1)
        return self._through(place, attention, cache, fused=self.embedding.is_cuda)

    def _through(
        self, place: Tensor, attention: Attention, cache: KvCache, last: Tensor | None = None, *, fused: bool = False
    ) -> Tensor:
        before, after = fused_halves() if fused else (before_attention, after_attention)
        ids, slots, positions = place
        rotation = self.cos[positions, None], self.sin[positions, None]
        x = self.embedding[ids]
        for index, layer in enumerate(self.layers):
            room = Room(cache.keys[index], cache.values[index], slots, positions)
            queries, keys, values = before(layer, x, rotation, self.sizes, room)
            heard = attention(index, queries, keys, values).flatten(1)
            if last is not None and index == self.sizes.layers - 1:  # the rest is per token: only the last ones count
                x, heard = x[last], heard[last]
            x = after(layer, x, heard, self.sizes.eps)
        return F.rms_norm(x.to(self.precise), self.norm.shape, self.norm, self.sizes.eps)


Before = Callable[[Layer, Tensor, tuple[Tensor, Tensor], Sizes, Room], tuple[Tensor, Tensor, Tensor]]
After = Callable[[Layer, Tensor, Tensor, float], Tensor]


def before_attention(
    layer: Layer, x: Tensor, rotation: tuple[Tensor, Tensor], sizes: Sizes, room: Room
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values (tokens, heads or kv_heads, head_dim) of x (tokens, hidden); fills the cache's room."""
    normed = F.rms_norm(x, layer.before_attention.shape, layer.before_attention, sizes.eps)
    mixed = layer.qkv(normed).view(len(x), -1, sizes.head_dim)
    turned, values = mixed.tensor_split([sizes.heads + sizes.kv_heads], dim=1)
    turned = F.rms_norm(turned, (sizes.head_dim,), None, sizes.eps) * layer.query_key
    cos, sin = rotation
    turned = torch.addcmul(turned * cos, turned.roll(sizes.head_dim // 2, -1), sin)
    queries, keys = turned.tensor_split([sizes.heads], dim=1)
    room.write(keys, values)
    return queries, keys, values


def after_attention(layer: Layer, x: Tensor, heard: Tensor, eps: float) -> Tensor:
    """Add to x (tokens, hidden) what was heard (tokens, heads · head_dim), and the MLP's answer."""
    x = x + layer.out(heard)
    gate, up = layer.gate_up.halves(F.rms_norm(x, layer.before_mlp.shape, layer.before_mlp, eps))
    return x + layer.down(F.silu(gate) * up)


@cache
def fused_halves() -> tuple[Before, After]:
    """Give the halves of a layer, compiled: a few kernels each. All layers share the code."""
    if not has_triton():
        log.warning("Triton is missing: the kernels of a step are not fused; generation takes about twice as long")
        return before_attention, after_attention
    return torch.compile(before_attention), torch.compile(after_attention)
