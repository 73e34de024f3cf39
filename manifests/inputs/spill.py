"""Sorted lists that are longer than memory: they are in a temporary file but for the items that were added last.

    found = SortedOnDisk(key=lambda item: item.source.id, to_json=astuple, from_json=restored)
    found.add(item)
    for item in found:      # sorted; items with the same key in the order in which they came
        ...

The file has no name, and is gone with the list; `TMPDIR` says where it is.
"""

import heapq
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import IO, Any, Generic, TypeVar

Item = TypeVar("Item")
Other = TypeVar("Other")
Line = Sequence[str]
"""The key of an item, and the item as JSON."""

RUN_BYTES = 64 * 2**20
"""Of items in memory, which are sorted and written when there are more."""
CHUNK_BYTES = 2**18
"""Of each run, that are in memory while the runs are merged."""
ITEM_BYTES = 250
"""That an item takes in memory beside its JSON."""


class SortedOnDisk(Generic[Item]):
    """See the module."""

    def __init__(
        self, key: Callable[[Item], str], to_json: Callable[[Item], Any], from_json: Callable[[Any], Item]
    ) -> None:
        self._key, self._to_json, self._from_json = key, to_json, from_json
        self._newest: list[Line] = []
        self._bytes = self._count = 0
        self._file: IO[bytes] | None = None
        self._runs: list[list[tuple[int, int]]] = []
        """Of each run its chunks: where they begin in the file, and how long they are."""

    def add(self, item: Item) -> None:
        """Add an item."""
        line = self._key(item), json.dumps(self._to_json(item))
        self._newest.append(line)
        self._count += 1
        self._bytes += len(line[1]) + ITEM_BYTES
        if self._bytes >= RUN_BYTES:
            self._write_run()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        self._newest.sort(key=_first)
        for _, content in heapq.merge(*map(self._read, self._runs), list(self._newest), key=_first):
            yield self._from_json(json.loads(content))

    def _write_run(self) -> None:
        self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115 - closed with the list
        self._newest.sort(key=_first)
        chunks: list[tuple[int, int]] = []
        chunk: list[Line] = []
        size = 0
        for line in self._newest:
            chunk.append(line)
            size += len(line[1])
            if size >= CHUNK_BYTES:
                chunks.append(self._append(self._file, chunk))
                chunk, size = [], 0
        chunks.append(self._append(self._file, chunk))
        self._file.flush()
        self._runs.append(chunks)
        self._newest, self._bytes = [], 0

    @staticmethod
    def _append(file: IO[bytes], chunk: list[Line]) -> tuple[int, int]:
        return file.tell(), file.write(json.dumps(chunk).encode())

    def _read(self, chunks: list[tuple[int, int]]) -> Iterator[Line]:
        for start, length in chunks:
            descriptor = self._file.fileno() if self._file else -1
            yield from json.loads(os.pread(descriptor, length, start))


def joined(
    items: Iterable[Item], others: Iterable[Other], key: Callable[[Item], str], other_key: Callable[[Other], str]
) -> Iterator[tuple[Item, Other | None]]:
    """Each item with the one of the others that has the same key, if there is one; both are sorted by them."""
    rest = iter(others)
    other = next(rest, None)
    for item in items:
        name = key(item)
        while other is not None and other_key(other) < name:
            other = next(rest, None)
        yield item, other if other is not None and other_key(other) == name else None


_first = itemgetter(0)
