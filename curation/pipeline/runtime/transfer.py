"""Transfers objects between the processes of a run, with one copy of their waves on each side.

    piece = packed(batch)       # Ray copies its buffers into its object store
    batch = unpacked(piece)

A wave leaves the pickle as a buffer of its own (protocol 5) and comes back in a copy of its own, which may be written
into; Ray's object store hands out memory that may not. Only what our own processes of this run have packed is read.
"""

import pickle
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Piece:
    """An object on its way."""

    head: bytes
    """Its pickle."""
    buffers: tuple[pickle.PickleBuffer, ...]
    """Its waves, not copied; after its way, what Ray has in their place."""

    @property
    def nbytes(self) -> int:
        """Bytes of all of it."""
        return len(self.head) + sum(memoryview(buffer).nbytes for buffer in self.buffers)


def packed(item: Any) -> Piece:
    """The object, to be sent before it is changed."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(item, protocol=5, buffer_callback=buffers.append)
    return Piece(head, tuple(buffers))


def unpacked(piece: Piece) -> Any:
    """The object anew."""
    return pickle.loads(piece.head, buffers=[bytearray(buffer) for buffer in piece.buffers])  # noqa: S301 - see above
