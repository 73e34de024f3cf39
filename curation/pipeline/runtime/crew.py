"""The pools of a step of a build, kept at the size that the machines allow, and watched: work that stands still ends.

    for result in Crew(pools, layout, engine).results(work):

`work` is a coroutine that gives calls to the pools and puts results into the crew's queue.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, Protocol

from curation.core.errors import WorkerError
from curation.core.storage import Storage
from curation.pipeline.config import EngineConfig
from curation.pipeline.guard.quarantine import Attempt
from curation.pipeline.runtime.pool import DiedError, Pool
from curation.pipeline.runtime.work import Reply

CHECK_SECONDS = 0.5
NODE_SECONDS = 2.0
"""Between two looks at which machines there are."""


class Machines(Protocol):
    """The machines, see `layout.Layout`."""

    def wanted(self) -> Mapping[str, Mapping[str, int]]:
        """For each pool, how many workers it has at most on each node that there is now. Raises ConfigError."""
        ...


class Crew:
    """The pools of a step."""

    def __init__(self, pools: Mapping[str, Pool], layout: Machines, engine: EngineConfig, out: Storage) -> None:
        self.pools, self._layout, self._engine, self._out = pools, layout, engine, out
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.open: set[asyncio.Task[None]] = set()
        """Tasks that the work has begun."""
        self.state: Callable[[], str] = str
        """What the work waits for besides the pools, for a message."""
        self._group = asyncio.TaskGroup()

    def results(self, work: Callable[[], Awaitable[None]]) -> Iterator[Any]:
        """What `work` puts into the queue. Raises what goes wrong in any part of it, and WorkerError."""
        with asyncio.Runner() as runner:
            main = runner.get_loop().create_task(self._run(work))
            try:
                while (item := runner.run(self.queue.get())) is not main:
                    if isinstance(item, BaseException):
                        raise item
                    yield item
            finally:
                main.cancel()
                runner.run(_ended(main))
                for pool in self.pools.values():
                    pool.close()

    def begin(self, task: Coroutine[Any, Any, None]) -> None:
        """Let a part of the work go on beside the others."""
        begun = self._group.create_task(task)
        self.open.add(begun)
        begun.add_done_callback(self.open.discard)

    async def room(self, most: Callable[[], int]) -> None:
        """Wait until fewer parts of the work are open than `most` says now; one may always be."""
        while len(self.open) >= max(1, most()):
            await asyncio.wait(self.open, timeout=CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED)

    async def attempted(
        self, pool: Pool, task: str, *arguments: Any, rank: tuple[int, ...] = (), deaths: int = 0
    ) -> Reply:
        """The result of a call, tried again where its worker dies of it, as it did `deaths` times before. Raises
        WorkerError where it keeps dying.
        """
        attempt = Attempt(self._out, f"{pool.name}-{task}", deaths)
        while True:
            try:
                return await pool.call(attempt, *arguments, rank=rank)
            except DiedError as death:
                attempt = self.after_death(attempt, death, pool)

    @staticmethod
    def after_death(attempt: Attempt, death: DiedError, pool: Pool) -> Attempt:
        """The next attempt. Raises WorkerError where there is no point in one."""
        following = attempt.after_death(death.detail)
        if following.hopeless:
            msg = f"{following.deaths} workers of the pool {pool.name} died on {attempt.task}: {following.detail}"
            raise WorkerError(msg)
        return following

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        end: Any = asyncio.current_task()
        try:
            async with self._group:
                wanted = self._layout.wanted()  # first: how much is begun at once depends on it
                keepers = [self._group.create_task(self._supply(wanted)), self._group.create_task(self._watch())]
                await work()
                await self.room(lambda: 1)
                for keeper in keepers:
                    keeper.cancel()
        except BaseExceptionGroup as errors:
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            end = first
        self.queue.put_nowait(end)

    async def _supply(self, wanted: Mapping[str, Mapping[str, int]]) -> None:
        """Add workers where calls wait for them and machines have room."""
        looked = time.monotonic()
        await asyncio.sleep(CHECK_SECONDS / 50)  # until the first calls wait
        while True:
            for name, nodes in wanted.items():
                pool = self.pools[name]
                while pool.wants_more:
                    able = [node for node, most in nodes.items() if pool.on(node) < most]
                    if not able:
                        break
                    pool.add(min(able, key=lambda node: pool.on(node) / nodes[node]))
            await asyncio.sleep(CHECK_SECONDS)
            if time.monotonic() - looked >= NODE_SECONDS:
                wanted, looked = self._layout.wanted(), time.monotonic()

    async def _watch(self) -> None:
        """End work that stands still. Raises WorkerError."""
        limit, seen, since = self._engine.stall_seconds, -1, time.monotonic()
        while True:
            await asyncio.sleep(min(5.0, limit / 4))
            progress = sum(pool.progress for pool in self.pools.values())
            if progress != seen:
                seen, since = progress, time.monotonic()
            elif time.monotonic() - since > limit:
                states = "; ".join(filter(None, [*(pool.state for pool in self.pools.values()), self.state()]))
                msg = (
                    f"nothing has moved for engine.stall_seconds = {limit:g}: {states}. Run the same "
                    f"command again to go on; where the work is only slow, raise the limit"
                )
                raise WorkerError(msg)


async def _ended(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])
