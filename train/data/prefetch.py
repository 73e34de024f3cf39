"""Prefetches items in a thread, in the same order."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


class _End:
    pass


def prefetched(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """The same items; up to `depth` of them are ready in advance (0: made on request).

    An error in the thread is raised here, at its place in the order. Closing the generator ends the thread.
    """
    if depth == 0:
        yield from items
        return
    ready: queue.Queue[T | _Failure | _End] = queue.Queue(maxsize=depth)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, ready, stop), name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        with contextlib.suppress(queue.Empty):
            while True:
                ready.get_nowait()  # makes room, so that the thread does not wait indefinitely
        thread.join()


def _fill(items: Iterable[T], ready: "queue.Queue[T | _Failure | _End]", stop: threading.Event) -> None:
    iterator = iter(items)
    try:
        for item in iterator:
            ready.put(item)
            if stop.is_set():
                return
        ready.put(_End())
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for the item
        ready.put(_Failure(error))
    finally:
        if isinstance(iterator, Generator):
            iterator.close()
