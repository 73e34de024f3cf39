"""A bounded number of requests at work, and a bounded number that wait for them."""

import asyncio
import math
import time
from collections import deque

from curation.serve.errors import BusyError

REMEMBERED = 32
"""Requests whose length says how long the next ones take."""


class Admission:
    """Places for requests. Belongs to one event loop."""

    def __init__(self, running: int, waiting: int) -> None:
        self._running, self.places = running, running + waiting
        self._free = asyncio.Semaphore(running)
        self._recent: deque[float] = deque(maxlen=REMEMBERED)
        self.held = 0
        """Requests that have a place or wait for one."""

    @property
    def waiting(self) -> int:
        """Requests without a place yet."""
        return max(0, self.held - self._running)

    async def enter(self) -> "Place":
        """Wait for a place. Raises BusyError where too many wait already."""
        if self.held >= self.places:
            raise self.busy()
        self.held += 1
        try:
            await self._free.acquire()
        except BaseException:
            self.held -= 1
            raise
        return Place(self)

    def leave(self, seconds: float) -> None:
        """Give a place back that was used for so long."""
        self._recent.append(seconds)
        self.held -= 1
        self._free.release()

    def busy(self) -> BusyError:
        """The error of one request too many, with the time after which it may find a place."""
        mean = sum(self._recent) / len(self._recent) if self._recent else 1.0
        return BusyError(max(1, math.ceil(mean * (self.waiting + 1) / self._running)))


class Place:
    """A place that a request holds until it leaves it; leaving twice does nothing."""

    def __init__(self, admission: Admission) -> None:
        self._admission, self._since, self._left = admission, time.monotonic(), False

    def leave(self) -> None:
        """Give it back."""
        if not self._left:
            self._left = True
            self._admission.leave(time.monotonic() - self._since)
