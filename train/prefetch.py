"""Makes items ahead in a thread, in the same order."""

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BaseException


class _End:
    pass


def prefetched(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """The same items; up to `depth` of them wait ready (0: made when they are asked for).

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
        thread.join()


def _fill(items: Iterable[T], ready: "queue.Queue[T | _Failure | _End]", stop: threading.Event) -> None:
    iterator = iter(items)
    try:
        for item in iterator:
            if not _put(item, ready, stop):
                return
        _put(_End(), ready, stop)
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for the item
        _put(_Failure(error), ready, stop)
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _put(item: T | _Failure | _End, ready: "queue.Queue[T | _Failure | _End]", stop: threading.Event) -> bool:
    """Wait for a free place; False where nobody wants items any more."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False
