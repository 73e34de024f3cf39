"""CPU threads of numeric libraries, set for the calling thread alone.

    with one_thread():
        ids = network(wave)                     # as the only thread of OpenMP
    model = load_apart(lambda: Whisper(folder))  # leaves the caller's threads as they are

`torch.set_num_threads` inside a program with several threads is a race: it also changes the number that threads begin
with which start meanwhile, for good. OpenMP's own number belongs to a thread.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Loaded = TypeVar("Loaded")


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one CPU thread inside the block: sums in another order may round to another id."""
    import torch  # noqa: F401 - its library is among those that are limited

    with _libraries().limit(limits=1, user_api="openmp"):
        yield


def load_apart(load: Callable[[], Loaded]) -> Loaded:
    """What `load` returns, called in a thread of its own: a model of CTranslate2 sets OpenMP's number of threads for
    the thread that loads it, which would slow down all that torch does there afterwards.
    """
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(load).result()


@cache
def _libraries() -> ThreadpoolController:
    """The loaded libraries with thread pools."""
    return ThreadpoolController()
