"""The keys and values of all tokens so far: one block of memory, cut into slots.

A request gets a slot when it is admitted and gives it back when it is done; nothing is ever moved. On a CPU the memory
is not touched before it is used, so a generous length costs nothing.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class KvCache:
    """Room for `slots` sequences of up to `length` tokens.

    `keys` and `values` are lists over layers of (slots + 1, kv_heads, length, head_dim): a head's keys lie behind one
    another, so that attention reads memory in order.
    """

    def __init__(
        self, layers: int, slots: int, kv_heads: int, length: int, head_dim: int, dtype: torch.dtype, device: str
    ) -> None:
        self.slots, self.length = slots, length
        self.spare = slots
        """A further slot, never handed out, for rows that fill a batch up."""
        shape = (slots + 1, kv_heads, length, head_dim)
        self.keys = [_zeros(shape, dtype, device) for _ in range(layers)]
        self.values = [_zeros(shape, dtype, device) for _ in range(layers)]
        self.lengths = [0] * slots
        """Tokens that each slot holds; 0: free."""
        self._free = list(range(slots))

    @property
    def num_free(self) -> int:
        """Free slots."""
        return len(self._free)

    def take(self) -> int:
        """Hand out the lowest free slot: neighbours can share an attention call. Raises IndexError if there is none."""
        self._free.sort()
        return self._free.pop(0)

    def give_back(self, slot: int) -> None:
        """Free a slot. Its content is overwritten by the next one."""
        self.lengths[slot] = 0
        self._free.append(slot)


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> Tensor:
    """Zeros; on a CPU those of the operating system, which take no memory before they are used, while torch writes its
    own.
    """
    if torch.device(device).type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    return torch.from_numpy(np.zeros(math.prod(shape) * dtype.itemsize, np.uint8)).view(dtype).view(shape)


class Room(NamedTuple):
    """Where a step's tokens go in one layer: `slots` and `positions` (tokens,) int64 of its keys and values."""

    all_keys: Tensor
    all_values: Tensor
    slots: Tensor
    positions: Tensor

    def write(self, keys: Tensor, values: Tensor) -> None:
        """Store keys and values (tokens, kv_heads, head_dim)."""
        self.all_keys[self.slots, :, self.positions] = keys
        self.all_values[self.slots, :, self.positions] = values
