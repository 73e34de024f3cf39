"""The label pass over pools of workers: units are decoded into batches, and each batch goes through the operators.

At most a window of batches is under way, in bytes and in number, so that no stage runs far ahead of the slowest.

Workers with all stages decode their units themselves, which saves the way of the audio from one process to another; a
unit is shared, decoded by one and labelled by all, where there are fewer units than workers, and where a worker died.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from curation.core.storage import Storage
from curation.manifests.plan import Unit
from curation.manifests.staging import BatchName
from curation.pipeline.guard.quarantine import Attempt
from curation.pipeline.runtime.crew import Crew
from curation.pipeline.runtime.pool import MEMORY_DEATHS, DiedError, LostError, Pool
from curation.pipeline.runtime.work import Reply
from curation.pipeline.workers.operators import DECODE, Operator

BATCHES_PER_WORKER = 3
"""Under way for each worker: two that it has, and one that comes."""


class Window:
    """Bounds what is under way."""

    def __init__(self, most_bytes: float, workers: Callable[[], int]) -> None:
        """`workers`: how many there are to be at this time, in all pools."""
        self._most_bytes, self.workers = most_bytes, workers
        self._bytes = self._batches = self._largest = 0
        self._changed = asyncio.Condition()
        self.waiting = 0

    @property
    def most_batches(self) -> int:
        """Under way at the same time."""
        return max(1, BATCHES_PER_WORKER * self.workers())

    @property
    def state(self) -> str:
        """For a message: how full it is."""
        return (
            f"{self._batches} batches under way ({self._bytes / 2**20:.0f} MiB), {self.waiting} decoders wait for room"
        )

    async def enter(self) -> None:
        """Wait for room for a batch; one is always let in."""
        self.waiting += 1
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            self._batches += 1
        self.waiting -= 1

    def _has_room(self) -> bool:
        fits = self._bytes + self._largest <= self._most_bytes and self._batches < self.most_batches
        return (fits and bool(self._largest)) or not self._batches  # how large they are shows with the first

    async def take(self, size: int) -> None:
        """The batch that was let in has so many bytes."""
        async with self._changed:
            self._bytes += size
            self._largest = max(self._largest, size)
            self._changed.notify_all()

    async def leave(self, size: int = 0) -> None:
        """A batch is no longer under way."""
        async with self._changed:
            self._batches -= 1
            self._bytes -= size
            self._changed.notify_all()


class Flow:
    """The label pass of one run."""

    def __init__(
        self, crew: Crew, levels: Sequence[Sequence[Operator]], window: Window, out: Storage, alone: Pool | None = None
    ) -> None:
        """`levels`: the operators in order; those of a level work on a batch at the same time. `alone`: workers that
        decode too.
        """
        self._crew, self._levels, self._window, self._out, self._alone = crew, levels, window, out, alone
        self._decoders = crew.pools[DECODE]
        self._all_begun, self._not_shared = False, 0
        self._careful: set[int] = set()
        """Units of which a worker has died."""
        self._openings = count()
        crew.state = lambda: window.state

    async def run(self, units: Iterable[Unit], done: Mapping[int, Collection[int]]) -> None:
        """Label the units; results go into the queue of the crew."""
        for unit in units:
            await self._crew.room(lambda: self._window.most_batches + 2 * self._decoders.size)
            self._crew.begin(self._unit(unit, set(done.get(unit.number, ()))))
            self._not_shared += 1
        self._all_begun = True

    async def _unit(self, unit: Unit, done: set[int]) -> None:
        """Label a unit, without the batches that are done."""
        pool = None if self._others_are_idle else self._alone
        whole = pool is not None and await self._by_one(pool, unit, done)
        self._not_shared -= 1
        if not whole:
            await self._decode(unit, done)

    async def _by_one(self, pool: Pool, unit: Unit, done: set[int]) -> bool:
        """Let one worker decode and label a unit; whether that is all of it, else `done` says what is."""
        attempt = Attempt(self._out, f"unit-{unit.number:08d}")
        try:
            async with pool.seat((unit.number,)) as seat:
                opening = next(self._openings)
                while not self._others_are_idle:
                    result = (await seat.call(attempt, opening, unit, sorted(done))).result
                    if result is None:
                        return True
                    self._crew.queue.put_nowait(result)
                    if result.name.last:
                        return True
                    done.add(result.name.batch)
        except DiedError as death:
            if death.to_blame:  # for what, shows where decoding and labelling are apart, and done with care
                self._careful.add(unit.number)
        return False

    @property
    def _others_are_idle(self) -> bool:
        """Whether there are fewer units left than workers."""
        return self._all_begun and self._not_shared < self._window.workers()

    async def _decode(self, unit: Unit, done: Collection[int], only: int | None = None) -> None:
        """Decode a unit, without the batches that are done, or `only` one of them again."""
        deaths = int(unit.number in self._careful)
        attempt, skip, for_memory = Attempt(self._out, f"decode-{unit.number:08d}", deaths), set(done), 0
        while True:
            try:
                async with self._decoders.seat((unit.number,)) as seat:
                    opening = next(self._openings)
                    while True:
                        start = time.monotonic()
                        await self._window.enter()
                        self._decoders.blocked_seconds += time.monotonic() - start
                        try:
                            reply: Reply = await seat.call(attempt, opening, unit, sorted(skip))
                        except BaseException:
                            await self._window.leave()
                            raise
                        if reply.result is None:
                            await self._window.leave()
                            return
                        await self._window.take(reply.size)
                        skip.add(reply.result.batch)
                        self._crew.begin(self._batch(unit, reply))
                        if reply.result.last or only is not None:
                            return
            except DiedError as death:
                for_memory += death.kind == "memory"
                if death.to_blame or for_memory >= MEMORY_DEATHS:
                    attempt = self._crew.after_death(attempt, death, self._decoders)

    async def _batch(self, unit: Unit, decoded: Reply) -> None:
        name: BatchName = decoded.result
        try:
            result = await self._through(name, decoded.piece)
        except LostError:
            await self._window.leave(decoded.size)
            await self._decode(unit, range(name.batch), only=name.batch)
        else:
            await self._window.leave(decoded.size)
            self._crew.queue.put_nowait(result)

    async def _through(self, name: BatchName, piece: Any) -> Any:
        """The result of the last operator."""
        heard: list[Any] = []
        reply = Reply(None, piece)
        for level in self._levels:
            how: dict[str, Any] = {"rank": (name.unit, name.batch), "deaths": int(name.unit in self._careful)}
            pools = [self._crew.pools[operator.name] for operator in level]
            calls = [self._crew.attempted(pool, str(name), reply.piece, *heard, **how) for pool in pools]
            ended = await asyncio.gather(*calls, return_exceptions=True)
            replies = [_raised(found) for found in ended]
            if level[0].branch and not level[0].leads:
                heard = [found.piece for found in replies]
            else:
                (reply,), heard = replies, []
        return reply.result


def _raised(found: Any) -> Reply:
    if isinstance(found, BaseException):
        raise found
    reply: Reply = found
    return reply
