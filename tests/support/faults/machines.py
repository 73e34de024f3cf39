"""Machines for tests of the pools, in this process: workers that die, nodes that go, pieces that are lost, as told.

They stand for Ray's actors; what the workers do is real.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from curation.pipeline.runtime.pool import DiedError, LostError
from curation.pipeline.runtime.transfer import Piece, packed, unpacked
from curation.pipeline.runtime.work import Reply


class CrashError(Exception):
    """Raised by work: its process dies."""


class Machines:
    """How many workers of each pool fit on each node, and what becomes of them."""

    def __init__(self, wanted: dict[str, dict[str, int]], fates: Iterable[str] = ()) -> None:
        """`fates`: of the calls in the order in which they begin: `process`, `memory`, `node`, `lost`, or nothing."""
        self._wanted = wanted
        self._fates: Iterator[str] = iter(fates)
        self.processes: list[Process] = []
        self.gone: set[str] = set()

    def wanted(self) -> dict[str, dict[str, int]]:
        return {
            name: {node: most for node, most in nodes.items() if node not in self.gone}
            for name, nodes in self._wanted.items()
        }

    def starter(self, make: Callable[[], Callable[..., Any]]) -> Callable[[str], "Process"]:
        """Begins a process with the worker that `make` makes."""

        def start(node: str) -> Process:
            process = Process(self, make, node)
            self.processes.append(process)
            return process

        return start

    def fate(self, process: "Process", *, has_piece: bool) -> None:
        """What happens in place of the next call; only a piece can be lost."""
        kind = next(self._fates, "")
        if kind == "lost" and has_piece:
            raise LostError
        if kind in {"process", "memory"}:
            process.die(kind)
        if kind == "node":
            self.lose(process.node)

    def lose(self, node: str) -> None:
        """A node goes; another takes its place."""
        for process in self.processes:
            if process.node == node:
                process.die("node")


class Process:
    """A worker process, see `pool.Worker`."""

    def __init__(self, machines: Machines, make: Callable[[], Callable[..., Any]], node: str) -> None:
        self._machines, self._make, self.node = machines, make, node
        self._one = asyncio.Lock()
        self._death: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ended = False
        self.worker: Any = None

    def die(self, kind: str) -> None:
        if not self._death.done():
            self._death.set_result(kind)

    async def start(self) -> None:
        await asyncio.sleep(0)
        self._raise_death()
        self.worker = self._make()

    async def call(self, *arguments: Any) -> Reply:
        work = asyncio.ensure_future(self._work(*arguments))
        await asyncio.wait([work, self._death], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            self._raise_death()
        return await work

    async def _work(self, *arguments: Any) -> Reply:
        async with self._one:
            self._raise_death()
            self._machines.fate(self, has_piece=any(isinstance(item, Piece) for item in arguments))
            self._raise_death()
            inputs = [unpacked(item) if isinstance(item, Piece) else item for item in arguments]
            try:
                reply = self.worker(*inputs)
                if asyncio.iscoroutine(reply):
                    reply = await reply
            except CrashError:
                self.die("process")
                self._raise_death()
            if reply.piece is None:
                return reply
            piece = packed(reply.piece)
            return replace(reply, piece=piece, size=piece.nbytes)

    def _raise_death(self) -> None:
        if self._death.done():
            raise DiedError(self._death.result(), "told to die")

    def end(self) -> None:
        self.ended = True

    def leave(self) -> None:
        self.ended = True
