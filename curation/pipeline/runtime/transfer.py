"""Transfers objects between the processes of a run: pickled into one binary column, with few copies of their waves.

    table = packed([batch])
    batch, = unpacked(table)

A wave leaves the pickle as a buffer of its own (protocol 5) and comes back in one copy of its own, which may be written
into; Ray's object store hands out memory that may not. Only what our own processes of this run have packed is read.
"""

import pickle
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

COLUMN = "payload"
_COUNT = struct.Struct("<Q")


def packed(objects: Iterable[Any]) -> pa.Table:
    """One row for each object."""
    rows = [_pack(item) for item in objects]
    if len(rows) != 1:
        return pa.table({COLUMN: pa.array(rows, pa.large_binary())})
    offsets = pa.array([0, len(rows[0])], pa.int64())
    array = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, offsets.buffers()[1], pa.py_buffer(rows[0])])
    return pa.table({COLUMN: array})


def unpacked(table: pa.Table) -> Iterator[Any]:
    """The objects, in order."""
    for value in table[COLUMN]:
        yield _unpack(memoryview(value.as_buffer()))


def _pack(item: Any) -> bytes:
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(item, protocol=5, buffer_callback=buffers.append)
    parts: list[bytes | memoryview] = [head, *(buffer.raw() for buffer in buffers)]
    sizes = b"".join(_COUNT.pack(memoryview(part).nbytes) for part in parts)
    return b"".join([_COUNT.pack(len(parts)), sizes, *parts])


def _unpack(data: memoryview) -> Any:
    count = _COUNT.unpack_from(data)[0]
    sizes = [_COUNT.unpack_from(data, _COUNT.size * (place + 1))[0] for place in range(count)]
    parts, start = [], _COUNT.size * (count + 1)
    for size in sizes:
        parts.append(data[start : start + size])
        start += size
    return pickle.loads(parts[0], buffers=[bytearray(part) for part in parts[1:]])  # noqa: S301 - see above
