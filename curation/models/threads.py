"""CPU threads of numeric libraries, set for the calling thread alone.

    with cpu_threads(1):
        ids = network(wave)                      # as the only thread of OpenMP
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
def cpu_threads(count: int) -> Iterator[None]:
    """Run torch on so many CPU threads inside the block; with one, no sum is taken in another order, which may round to
    another id.
    """
    import torch

    torch.get_num_threads()  # in a new thread torch sets OpenMP's number when it is first used: not inside the block
    with _libraries().limit(limits=count, user_api="openmp"):
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
