"""Attention of a step's tokens to the cache: three ways, one for each kind of device and step.

`Grouped` is for a CPU: lengths are known on the host, neighbouring slots of like lengths share a call, and no key is
read in vain. `Flash` is for a GPU in half precision: one call for all rows, of any length, prompts and single tokens
alike; nothing is read on the host. `Masked` does the same for single tokens on any device, at the price of reading
whole slots: GPUs in float32, and tests.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.train.infer.kv_cache import KvCache

ALIKE = 1.25
"""Neighbouring slots share an attention call while padding them costs less than this factor."""


@dataclass(frozen=True, slots=True)
class NextTokens:
    """The next `count` tokens of the sequence in `slot`: a piece of its prompt, or one token."""

    slot: int
    count: int


class Attention(Protocol):
    """Attention of one step; the same for every layer."""

    def __call__(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attend from queries (tokens, heads, head_dim) to all that the tokens' slots hold: the same shape.

        `keys` and `values` (tokens, kv_heads, head_dim) are in the cache already.
        """


def attention_for(rows: Sequence[NextTokens], cache: KvCache) -> Attention:
    """Attention of rows of any counts."""
    if not is_half_on_gpu(cache.keys[0]):
        return Grouped(rows, cache)
    counts = torch.tensor([[0, 0, 0], *([row.count, row.slot, cache.lengths[row.slot]] for row in rows)])
    offsets = counts[:, 0].cumsum(0).int()
    known = (counts[1:, 2] + counts[1:, 0]).int()
    device = cache.keys[0].device
    longest = max(row.count for row in rows)
    return Flash(cache, counts[1:, 1].to(device), known.to(device), offsets.to(device), longest)


def is_half_on_gpu(tensor: Tensor) -> bool:
    """Whether the flash kernel takes it."""
    return tensor.is_cuda and tensor.dtype in {torch.float16, torch.bfloat16}


class Grouped:
    """Lengths are known on the host: neighbouring slots of like lengths share a call."""

    def __init__(self, rows: Sequence[NextTokens], cache: KvCache) -> None:
        self._cache = cache
        self._prompts: list[slice] = []
        self._pieces: list[tuple[slice, int, Tensor]] = []
        singles: list[tuple[int, int, int]] = []
        first, device = 0, cache.keys[0].device
        for row in rows:
            known, tokens = cache.lengths[row.slot], slice(first, first + row.count)
            if row.count == 1:
                singles.append((first, row.slot, known + 1))
            elif known:
                hidden = torch.ones(row.count, known + row.count, dtype=torch.bool, device=device).triu(known + 1)
                self._pieces.append((tokens, row.slot, ~hidden))
            else:
                self._prompts.append(tokens)
            first += row.count
        self._groups = [_group(members, cache) for members in _neighbours(singles)]

    def __call__(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """See `Attention`."""
        all_keys, all_values = self._cache.keys[layer], self._cache.values[layer]
        out = torch.empty_like(queries)
        for prompt in self._prompts:
            q, k, v = (x[prompt].transpose(0, 1)[None] for x in (queries, keys, values))
            heard = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            out[prompt] = heard[0].transpose(0, 1)
        for tokens, slot, mask in self._pieces:
            q = queries[tokens].transpose(0, 1)[None]
            k, v = (x[slot, :, : mask.shape[1]][None] for x in (all_keys, all_values))
            heard = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
            out[tokens] = heard[0].transpose(0, 1)
        grouped = queries.view(len(queries), keys.shape[1], -1, queries.shape[2])
        for group in self._groups:
            k, v = (x[group.slots, :, : group.length] for x in (all_keys, all_values))
            heard = F.scaled_dot_product_attention(grouped[group.tokens], k, v, attn_mask=group.mask)
            out[group.tokens] = heard.flatten(1, 2)
        return out


class Flash:
    """Torch's flash attention of variable length, straight on the slots.

    Row i reads `lengths[i]` tokens of `slots[i]`; its queries are `offsets[i]` to `offsets[i + 1]`, the last of them.
    """

    def __init__(self, cache: KvCache, slots: Tensor, lengths: Tensor, offsets: Tensor, longest: int) -> None:
        self._cache, self._longest = cache, longest
        self._lengths, self._offsets = lengths.int(), offsets.int()
        # As the kernel sees the cache, its rows are single keys of one head, and the next head is `length` rows away.
        rows = cache.keys[0].shape[1] * cache.length
        self._starts = F.pad(slots * rows, (0, 1)).int()

    def __call__(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:  # noqa: ARG002
        """See `Attention`."""
        heads, size = values.shape[1:]
        known = []
        for block in (self._cache.keys[layer], self._cache.values[layer]):
            rows = block.numel() // size - (heads - 1) * self._cache.length
            known.append(block.as_strided((rows, heads, size), (size, self._cache.length * size, 1)))
        # torch 2.11's public varlen_attn takes neither grouped heads nor the filled lengths of slots
        out: Tensor = torch.ops.aten._flash_attention_forward(  # noqa: SLF001
            queries,
            *known,
            self._offsets,
            self._starts,
            self._longest,
            self._cache.length,
            0.0,
            self._longest > 1,
            False,  # noqa: FBT003 - the operator's order
            seqused_k=self._lengths,
        )[0]
        return out


class Masked:
    """Single tokens by a mask over whole slots; `lengths` (rows,) count the token itself."""

    def __init__(self, cache: KvCache, slots: Tensor, lengths: Tensor) -> None:
        self._cache, self._slots = cache, slots
        places = torch.arange(cache.length, device=slots.device)
        self._mask = (places < lengths[:, None])[:, None, None]

    def __call__(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """See `Attention`."""
        grouped = queries.view(len(values), keys.shape[1], -1, queries.shape[2])
        k, v = (block.index_select(0, self._slots) for block in (self._cache.keys[layer], self._cache.values[layer]))
        return F.scaled_dot_product_attention(grouped, k, v, attn_mask=self._mask).flatten(1, 2)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of one token each in neighbouring slots. `mask` (rows, 1, 1, length) is None where all are equally long."""

    tokens: slice
    slots: slice
    length: int
    mask: Tensor | None


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


def _group(members: Sequence[tuple[int, int, int]], cache: KvCache) -> _Group:
    token, slot, _ = members[0]
    lengths = [length for _, _, length in members]
    longest, mask = max(lengths), None
    if min(lengths) < longest:
        like = cache.keys[0]
        hidden = torch.arange(longest, device=like.device) >= torch.tensor(lengths, device=like.device)[:, None]
        mask = torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, -torch.inf)
        mask = mask[:, None, None]
    return _Group(slice(token, token + len(members)), slice(slot, slot + len(members)), longest, mask)
