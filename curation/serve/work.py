"""Generators of the model at work in threads, for requests whose client may leave at any time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from typing import Generic, TypeVar

from fastapi import Request

from curation.serve.admission import Place
from curation.serve.errors import GoneError

Item = TypeVar("Item")
Result = TypeVar("Result")

LOOK_SECONDS = 0.2
"""How often a request that waits looks whether its client is still there."""
_CLOSING: set["asyncio.Task[None]"] = set()
"""Tasks must be kept somewhere, else they may be collected before they are done."""


class Work(Generic[Item]):
    """The items of a generator, one after the other, and the place that it holds until it is closed.

    The generator runs in a thread: it is closed once the item that it is making is done, which takes its requests out
    of the model.
    """

    def __init__(self, make: Callable[[], Iterator[Item]], place: Place, executor: Executor) -> None:
        self._make, self._place, self._executor = make, place, executor
        self._items: Iterator[Item] | None = None
        self._busy: asyncio.Future[list[Item]] | None = None
        self._closed = False

    async def next(self) -> list[Item]:
        """The next item; nothing after the last one. Raises what the generator raises."""
        self._busy = asyncio.get_running_loop().run_in_executor(self._executor, self._advance)
        return await asyncio.shield(self._busy)

    def close(self) -> None:
        """Stop, and leave the place, as soon as the thread is done with its item. Returns at once."""
        if not self._closed:
            self._closed = True
            task = asyncio.get_running_loop().create_task(self._end())
            _CLOSING.add(task)
            task.add_done_callback(_CLOSING.discard)

    def _advance(self) -> list[Item]:
        if self._items is None:
            self._items = self._make()
        for item in self._items:
            return [item]
        return []

    async def _end(self) -> None:
        try:
            if self._busy is not None:
                await asyncio.wait([self._busy])
            close = getattr(self._items, "close", None)
            if close is not None:
                await asyncio.get_running_loop().run_in_executor(self._executor, close)
        finally:
            self._place.leave()


async def while_connected(request: Request, result: Awaitable[Result]) -> Result:
    """Wait for a result. Raises GoneError once the client has left, and cancels what it waited for."""
    task = asyncio.ensure_future(result)
    try:
        while not (await asyncio.wait([task], timeout=LOOK_SECONDS))[0]:
            if await request.is_disconnected() and not task.done():  # else a place would be lost
                raise GoneError
        return task.result()
    finally:
        task.cancel()
