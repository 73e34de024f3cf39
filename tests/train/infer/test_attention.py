"""Each way of attending to the cache gives what its rows give alone, whatever shares a step with them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.train.infer.attention import Grouped, Masked, NextTokens, attention_for
from curation.train.infer.kv_cache import KvCache, Room

SLOTS, HEADS, KV_HEADS, LENGTH, SIZE = 5, 4, 2, 24, 8
ROWS = st.lists(st.tuples(st.integers(0, 14), st.just(1) | st.integers(1, 9)), min_size=1, max_size=SLOTS)
"""Tokens that a slot holds, and how many come."""


def step(held, seed=0):
    """A cache with the new tokens in it, the rows, and queries, keys and values of the new tokens."""
    generator = torch.Generator().manual_seed(seed)
    cache = KvCache(1, SLOTS, KV_HEADS, LENGTH, SIZE, torch.float32, "cpu")
    for block in (cache.keys[0], cache.values[0]):
        block.copy_(torch.randn(block.shape, generator=generator))
    rows = [NextTokens(slot, count) for slot, (_, count) in enumerate(held)]
    cache.lengths[: len(held)] = [known for known, _ in held]
    slots = torch.tensor([row.slot for row in rows for _ in range(row.count)])
    positions = torch.tensor([known + place for known, count in held for place in range(count)])
    queries = torch.randn(len(slots), HEADS, SIZE, generator=generator)
    keys, values = (torch.randn(len(slots), KV_HEADS, SIZE, generator=generator) for _ in "kv")
    Room(cache.keys[0], cache.values[0], slots, positions).write(keys, values)
    return cache, rows, (queries, keys, values), slots, positions


def by_definition(cache, queries, slots, positions):
    """softmax(q k / sqrt(size)) v over all tokens up to the query's own, token by token."""
    found = []
    for query, slot, position in zip(queries, slots, positions, strict=True):
        keys, values = (
            block[slot, :, : position + 1].repeat_interleave(HEADS // KV_HEADS, 0)
            for block in (cache.keys[0], cache.values[0])
        )
        weights = torch.softmax((keys @ query[:, :, None])[..., 0] / SIZE**0.5, -1)
        found.append((weights[:, None] @ values)[:, 0])
    return torch.stack(found)


@settings(max_examples=40)
@given(ROWS)
def test_rows_of_a_step_attend_to_their_own_slots_up_to_themselves(held):
    cache, rows, tensors, slots, positions = step(held)
    attention = attention_for(rows, cache)
    assert isinstance(attention, Grouped)
    torch.testing.assert_close(attention(0, *tensors), by_definition(cache, tensors[0], slots, positions))


@settings(max_examples=20)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=SLOTS))
def test_single_tokens_by_a_mask_are_the_same(known):
    cache, rows, tensors, slots, positions = step([(length, 1) for length in known])
    attention = Masked(cache, slots, positions + 1)
    torch.testing.assert_close(attention(0, *tensors), Grouped(rows, cache)(0, *tensors))
