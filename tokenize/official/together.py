"""Calls of several threads as batches of one function.

    encoding = Together(compute, len, 30 * 16_000)
    ids = encoding(waves)      # in any number of threads

There is no thread and no timer. A caller that finds nobody at work begins at once; calls that come meanwhile wait and
form the next batch, which the first of them to get the turn computes for all.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Call(Generic[Item, Result]):
    items: Sequence[Item]
    results: list[Result] = field(default_factory=list)
    error: Exception | None = None
    is_done: bool = False


class Together(Generic[Item, Result]):
    """`compute` gives a result for each of some items, whatever items are beside it.

    A batch takes whole calls, oldest first, up to `most` of the items' `size` together; a larger call is alone. A batch
    that fails is computed again call by call, so that an error ends the call that causes it and no other.
    """

    def __init__(self, compute: Callable[[list[Item]], list[Result]], size: Callable[[Item], int], most: int) -> None:
        self._compute, self._size, self._most = compute, size, most
        self._waiting: deque[_Call[Item, Result]] = deque()
        self._turn = Lock()

    @property
    def waiting(self) -> int:
        """Calls that no batch has taken yet."""
        return len(self._waiting)

    def __call__(self, items: Sequence[Item]) -> list[Result]:
        """Give the result of each item, in their order. Raises what `compute` raises for these items."""
        call = _Call[Item, Result](items)
        self._waiting.append(call)  # atomic
        with self._turn:
            while not call.is_done:
                batch = self._next_batch()
                try:
                    self._run(batch)
                finally:  # after an interrupt of this thread, the calls of others are still to be made
                    others = [other for other in batch if not other.is_done and other is not call]
                    self._waiting.extendleft(reversed(others))
        if call.error is not None:
            raise call.error
        return call.results

    def _next_batch(self) -> list[_Call[Item, Result]]:
        batch, room = [self._waiting.popleft()], self._most
        room -= self._size_of(batch[0])
        while self._waiting and self._size_of(self._waiting[0]) <= room:
            batch.append(self._waiting.popleft())
            room -= self._size_of(batch[-1])
        return batch

    def _size_of(self, call: _Call[Item, Result]) -> int:
        return sum(self._size(item) for item in call.items)

    def _run(self, batch: list[_Call[Item, Result]]) -> None:
        try:
            results = iter(self._compute([item for call in batch for item in call.items]))
        except Exception as error:  # noqa: BLE001 - raised again in the thread of its call
            if len(batch) > 1:
                for call in batch:
                    self._run([call])
                return
            batch[0].error = error
        else:
            for call in batch:
                call.results = [next(results) for _ in call.items]
        for call in batch:
            call.is_done = True
