"""Slots of the cache: the lowest free one is taken, what is given back is free and empty, and nothing moves."""

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curation.train.infer.kv_cache import KvCache, Room


def cache(slots=3):
    return KvCache(layers=2, slots=slots, kv_heads=2, length=5, head_dim=4, dtype=torch.float32, device="cpu")


@given(st.lists(st.integers(0, 5), max_size=30))
def test_the_lowest_free_slot_is_taken(steps):
    """A number gives the slot back that was taken so many steps before, where there is one."""
    own, taken = cache(6), []
    for step in steps:
        if step < len(taken):
            own.give_back(taken.pop(step))
        elif own.num_free:
            expected = min(set(range(6)) - set(taken))
            taken.append(own.take())
            assert taken[-1] == expected
        assert own.num_free == 6 - len(taken)


def test_no_slot_is_free_when_all_are_taken():
    own = cache()
    assert [own.take() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(IndexError):
        own.take()


def test_a_slot_that_is_given_back_holds_nothing():
    own = cache()
    slot = own.take()
    own.lengths[slot] = 4
    own.give_back(slot)
    assert own.lengths[own.take()] == 0


def test_tokens_are_stored_at_their_slot_layer_and_position():
    own = cache()
    keys, values = torch.randn(3, 2, 4), torch.randn(3, 2, 4)
    slots, positions = torch.tensor([0, 2, 2]), torch.tensor([4, 0, 1])
    Room(own.keys[1], own.values[1], slots, positions).write(keys, values)
    for token, (slot, position) in enumerate(zip(slots, positions, strict=True)):
        assert torch.equal(own.keys[1][slot, :, position], keys[token])
        assert torch.equal(own.values[1][slot, :, position], values[token])
    assert not own.keys[0].any()
    assert int((own.keys[1] != 0).any(-1).sum()) == 3 * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_room_that_nothing_is_in_takes_no_memory(dtype):
    process = psutil.Process()
    before = process.memory_info().rss
    room = KvCache(2, 15, 8, 4096, 128, dtype, "cpu")
    size = 4 * room.keys[0].nbytes
    assert size >= 2**29
    assert process.memory_info().rss - before < size / 8
    assert room.values[1].dtype == dtype
    assert not room.values[1][3, 2, 4000:].any()
