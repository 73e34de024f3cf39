"""SIGTERM asks a run to end: schedulers send it some time before they take a machine away."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_CODE = 128 + signal.SIGTERM
"""Exit status of a command that was told to end and has saved where it stands; 143, as shells call this signal."""
Told = Callable[[], bool]
"""Whether this process was told to end."""


def never() -> bool:
    """Nobody told it."""
    return False


@contextmanager
def on_sigterm() -> Iterator[Told]:
    """SIGTERM no longer ends the process, but is told. In a thread, as Ray Train has them, signals are not heard."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told.is_set
        return
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        yield told.is_set
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
