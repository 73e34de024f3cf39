"""Causal attention over packed samples, registered with transformers under the name `packed`.

No sample sees another one, and nothing is padded: on a GPU in half precision torch's variable-length flash kernel
takes the row as it is, elsewhere each sample is one call of `scaled_dot_product_attention`.
"""

from inspect import signature
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from curation.train.data.batch import Packing
from curation.train.model.qwen3 import Qwen3

try:
    from torch.nn.attention.varlen import varlen_attn

    _ACCEPTED = frozenset(signature(varlen_attn).parameters)
except ImportError:
    _ACCEPTED = frozenset()

NAME = "packed"
HAS_VARLEN = "window_size" in _ACCEPTED
"""Torch's variable-length attention, in the form of torch 2.11 and later."""
GROUPED = "enable_gqa" in _ACCEPTED
"""Whether it takes fewer key-value heads than heads; torch 2.11's does not."""


def has_packed_kernel(precision: str) -> bool:
    """Whether a GPU reads a whole packed row at once with this `run.precision`."""
    return HAS_VARLEN and precision != "float32"


def packed_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    packing: Packing,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one row: query (1, heads, tokens, d), key and value (1, key-value heads, tokens, d) give
    (1, tokens, heads, d).
    """
    del module, attention_mask
    kind = query.dtype
    if query.is_cuda and torch.is_autocast_enabled("cuda"):
        kind = torch.get_autocast_dtype("cuda")  # the norms of queries and keys left them in float32
    query, key, value = query.to(kind), key.to(kind), value.to(kind)
    if query.is_cuda and kind != torch.float32 and HAS_VARLEN:
        return _flash(query, key, value, packing, scaling), None
    with torch.autocast(query.device.type, enabled=False):  # a CPU's kernel is twice as fast in float32
        return _each_sample(query, key, value, packing.lengths, scaling), None


def _flash(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, packing: Packing, scaling: float
) -> torch.Tensor:
    if not GROUPED:
        key, value = (row.repeat_interleave(query.shape[1] // row.shape[1], 1) for row in (key, value))
    grouped: dict[str, Any] = {"enable_gqa": True} if GROUPED else {}
    mixed = varlen_attn(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        packing.offsets,
        packing.offsets,
        packing.longest,
        packing.longest,
        scale=scaling,
        window_size=(-1, 0),  # causal
        **grouped,
    )
    return cast("torch.Tensor", mixed)[None]


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _each_sample(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: list[int], scaling: float
) -> torch.Tensor:
    """A call for each sample; it would be recompiled for each set of lengths, so it stays uncompiled."""
    samples = zip(*(torch.split(rows, lengths, 2) for rows in (query, key, value)), strict=True)
    mixed = [
        functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=True).transpose(1, 2)
        for q, k, v in samples
    ]
    return torch.cat(mixed, 1)


def use_packed_attention(model: Qwen3) -> None:
    """Switch a transformers model to packed attention; its forward then requires `packing=`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, packed_attention)
    model.config._attn_implementation = NAME  # noqa: SLF001 - what set_attn_implementation sets, which checks names
