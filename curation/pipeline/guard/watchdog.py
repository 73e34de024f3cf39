"""Ends this process when a task takes too long or too much memory: the engine restarts it, and the attempt is recorded.

A hanging C extension cannot be interrupted from Python, and a process that exhausts the memory of its machine takes
down others; ending the process is the only clean way out of both.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

GIB = 2**30
POLL_SECONDS = 0.1
EXIT_CODE = 70


def private_bytes(process: psutil.Process) -> int:
    """Resident memory of a process without what it shares: Ray's object store is mapped into every worker."""
    memory = process.memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


class Watchdog:
    """Watches one process. `limit` starts the clock for a block; `on_kill` gets the reason just before the end."""

    def __init__(self, timeout_seconds: float, max_gib: float) -> None:
        self._timeout = timeout_seconds
        self._max_bytes = max_gib * GIB
        self._process = psutil.Process()
        self._task: tuple[str, Callable[[], float], Callable[[str], None]] | None = None
        self.peak_bytes = 0
        threading.Thread(target=_watch, args=[weakref.ref(self)], daemon=True, name="watchdog").start()

    @contextmanager
    def limit(
        self, what: str, on_kill: Callable[[str], None], begun: Callable[[], float] = lambda: 0.0
    ) -> Iterator[None]:
        """Apply the limits to the block, which `what` names in the explanation.

        The time counts from its start, or from `begun` (monotonic clock) where that is later.
        """
        start = time.monotonic()
        self._task = (what, lambda: max(start, begun()), on_kill)
        try:
            yield
        finally:
            self._task = None

    def look(self) -> None:
        """End this process where it is over a limit."""
        used = private_bytes(self._process)
        self.peak_bytes = max(self.peak_bytes, used)
        task = self._task
        if task is None:
            return
        what, since, on_kill = task
        if time.monotonic() - since() > self._timeout:
            self._end(on_kill, f"{what} did not finish within engine.timeout_seconds = {self._timeout:g}")
        if used > self._max_bytes:
            limit = self._max_bytes / GIB
            self._end(on_kill, f"{what} used {used / GIB:.1f} GiB, over engine.max_worker_gib = {limit:g}")

    @staticmethod
    def _end(on_kill: Callable[[str], None], reason: str) -> None:
        try:
            on_kill(reason)
        finally:
            os._exit(EXIT_CODE)


def _watch(reference: "weakref.ref[Watchdog]") -> None:
    """Look for as long as there is a worker with this watchdog: the process may outlive it."""
    while (watchdog := reference()) is not None:
        watchdog.look()
        del watchdog
        time.sleep(POLL_SECONDS)
