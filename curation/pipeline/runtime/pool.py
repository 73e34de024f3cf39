"""A pool of worker processes: which of them gets a call, and what happens when one dies. It knows nothing of Ray.

A worker does one call at a time, in the order in which it gets them; it has two, so that it never waits for the next.
When a process dies, its oldest call is to blame. When its node dies, or the system ends it for want of memory, none is:
the calls are made again.
"""

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, Protocol

from curation.core.errors import WorkerError
from curation.manifests.runs import PoolTimes
from curation.pipeline.job import PoolLoad
from curation.pipeline.runtime.work import Reply

DEATHS_IN_A_ROW = 8
"""So many without a call that ends well: it is not the recordings."""
STARTS_IN_A_ROW = 3
MEMORY_DEATHS = 3
"""After these a call is to blame for want of memory."""


class DiedError(Exception):
    """A worker has died."""

    def __init__(self, kind: Literal["process", "memory", "node"], detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail
        self.to_blame = True
        """Whether it died of the call that raises this, and not of an earlier one or of its node."""


class LostError(Exception):
    """What an earlier call gave went with the node that had it."""


class Worker(Protocol):
    """A worker process."""

    async def start(self) -> None:
        """Return when it is ready for calls. Raises DiedError and UserError."""
        ...

    async def call(self, *arguments: Any) -> Reply:
        """What a call gives. Raises DiedError, LostError, and what the call raises."""
        ...

    def end(self) -> None:
        """End the process."""
        ...

    def leave(self) -> None:
        """Its step is done: the process may work for the next one."""
        ...


@dataclass(eq=False, slots=True)
class _Member:
    worker: Worker
    node: str
    ready: bool = False
    since: float = 0.0
    """When it was ready."""
    seats: "list[Seat]" = field(default_factory=list)


class Pool:
    """The workers of one kind."""

    def __init__(self, name: str, start: Callable[[str], Worker], at_once: int = 2, *, eager: bool = True) -> None:
        """`start` begins a worker on a node; `at_once`: calls that a worker has at the same time; `eager`: whether one
        worker is wanted before there is a call.
        """
        self.name, self.progress = name, 0
        self.calls, self.busy_seconds = 0, 0.0
        """Calls that ended well, and the seconds that workers took for them."""
        self.blocked_seconds = 0.0
        """That workers could not go on, because of what comes after them."""
        self.retries = 0
        """Calls whose worker died, or whose input was lost."""
        self._most, self._ready_seconds = 0, 0.0
        self._start, self._at_once, self._eager = start, at_once, eager
        self._members: list[_Member] = []
        self._waiting: list[tuple[tuple[int, ...], int, asyncio.Future[Seat]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None
        self._number = self._deaths = self._failed_starts = 0

    def add(self, node: str) -> None:
        """Begin a worker on a node."""
        member = _Member(self._start(node), node)
        self._members.append(member)
        self._most = max(self._most, len(self._members))
        task = asyncio.get_running_loop().create_task(self._bring_up(member))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def on(self, node: str) -> int:
        """Workers on a node, those that are starting included."""
        return sum(member.node == node for member in self._members)

    @property
    def size(self) -> int:
        """Workers, those that are starting included."""
        return len(self._members)

    @property
    def seconds(self) -> float:
        """That a call takes, on average."""
        return self.busy_seconds / max(1, self.calls)

    @property
    def wants_more(self) -> bool:
        """Whether there are more calls than workers: one that waits behind another could be done beside it."""
        calls = len(self._waiting) + sum(len(member.seats) for member in self._members)
        return calls > len(self._members) or (self._eager and not self._members)

    @property
    def state(self) -> str:
        """For a message: what it has and what waits for it."""
        load = self.load
        return (
            f"{self.name}: {load.workers} workers ready, {self.size - load.workers} starting, {load.running} calls in "
            f"progress, {load.queued} waiting"
        )

    async def call(self, *arguments: Any, rank: tuple[int, ...] = ()) -> Reply:
        """What a call gives to one of the workers; of those that wait, the lowest rank is first.

        Raises DiedError where the call is to blame for the death of its worker, LostError, WorkerError, and what the
        call raises.
        """
        for_memory = 0
        while True:
            async with self.seat(rank) as seat:
                try:
                    return await seat.call(*arguments)
                except DiedError as death:
                    for_memory += death.kind == "memory"
                    if death.to_blame or for_memory >= MEMORY_DEATHS:
                        raise

    @asynccontextmanager
    async def seat(self, rank: tuple[int, ...] = ()) -> "AsyncIterator[Seat]":
        """A place at one of the workers, for any number of calls. Raises WorkerError where there will be none."""
        if self._broken is not None:
            raise self._broken
        seat = self._free_seat()
        if seat is None:
            future: asyncio.Future[Seat] = asyncio.get_running_loop().create_future()
            self._number += 1
            heapq.heappush(self._waiting, (rank, self._number, future))
            seat = await future
        try:
            yield seat
        finally:
            seat.leave()
            self._hand_out()

    @property
    def times(self) -> PoolTimes:
        """What the workers have done so far, with those that are gone."""
        ready = self._ready_seconds + sum(map(_ready_seconds, self._members))
        waiting = max(0.0, ready - self.busy_seconds - self.blocked_seconds)
        return PoolTimes(self._most, self.busy_seconds, waiting, self.blocked_seconds, self.retries)

    @property
    def load(self) -> PoolLoad:
        """What the workers have to do now."""
        members = list(self._members)
        ready, running = sum(member.ready for member in members), sum(len(member.seats) for member in members)
        return PoolLoad(ready, running, len(self._waiting))

    def close(self) -> None:
        """The step is done: leave the workers that are ready, and end those that are starting."""
        for task in self._tasks:
            task.cancel()
        for member in self._members:
            self._ready_seconds += _ready_seconds(member)
            (member.worker.leave if member.ready else member.worker.end)()
            member.ready = False
        self._members.clear()

    def _free_seat(self) -> "Seat | None":
        able = [member for member in self._members if member.ready and len(member.seats) < self._at_once]
        return Seat(self, min(able, key=lambda member: len(member.seats))) if able else None

    def _hand_out(self) -> None:
        while self._waiting:
            if self._waiting[0][2].done():  # cancelled
                heapq.heappop(self._waiting)
                continue
            seat = self._free_seat()
            if seat is None:
                return
            heapq.heappop(self._waiting)[2].set_result(seat)

    async def _bring_up(self, member: _Member) -> None:
        try:
            await member.worker.start()
        except DiedError as death:
            self._remove(member)
            if death.kind != "node":
                self._failed_starts += 1
                if self._failed_starts >= STARTS_IN_A_ROW:
                    self._break(WorkerError(f"workers of the pool {self.name} die while they start: {death.detail}"))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            self._remove(member)
            self._break(error)
        else:
            if member in self._members:
                member.ready, member.since = True, time.monotonic()
                self.progress += 1
                self._failed_starts = 0
                self._hand_out()

    def _break(self, error: BaseException) -> None:
        self._broken = error
        for _, _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def _remove(self, member: _Member) -> None:
        if member in self._members:
            self._ready_seconds += _ready_seconds(member)
            member.ready = False
            self._members.remove(member)
            member.worker.end()

    def ended_well(self, seconds: float) -> None:
        """A call has given its result, for which its worker took so long."""
        self.progress += 1
        self.calls += 1
        self.busy_seconds += seconds
        self._deaths = 0

    def died(self, member: _Member, death: DiedError) -> None:
        """A call has found its worker dead."""
        if member in self._members and death.kind != "node":
            self._deaths += 1
            if self._deaths >= DEATHS_IN_A_ROW:
                msg = f"{self._deaths} workers of the pool {self.name} died in a row: {death.detail}"
                self._break(WorkerError(msg))
        self._remove(member)


class Seat:
    """A place at a worker."""

    def __init__(self, pool: Pool, member: _Member) -> None:
        self._pool, self._member = pool, member
        self.begun = 0
        """Place of its latest call among all calls; 0: none yet."""
        self.died = False
        self.settled = asyncio.Event()
        member.seats.append(self)

    async def call(self, *arguments: Any) -> Reply:
        """What a call gives. Raises DiedError, LostError, and what the call raises."""
        self.begun = next(_order)
        try:
            reply: Reply = await self._member.worker.call(*arguments)
        except LostError:
            self._pool.retries += 1
            raise
        except DiedError as death:
            self.died = True
            self._pool.retries += 1
            self._pool.died(self._member, death)
            earlier = [seat for seat in self._member.seats if 0 < seat.begun < self.begun]
            self.settled.set()
            for seat in earlier:
                await seat.settled.wait()
            death.to_blame = death.kind == "process" and not any(seat.died for seat in earlier)
            raise
        self._pool.ended_well(reply.seconds)
        return reply

    def leave(self) -> None:
        """Give the place up; who died stays, so that later calls of the worker are not to blame."""
        self.settled.set()
        if not self.died:
            self._member.seats.remove(self)


def _ready_seconds(member: _Member) -> float:
    return time.monotonic() - member.since if member.ready else 0.0


_order = count(1)
