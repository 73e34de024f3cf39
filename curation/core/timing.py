"""Counts the seconds spent inside models, so that a build can say where its time went.

    with inside_model("transcribe.whisper-base"):
        model.transcribe(...)

Wall seconds, per process.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

_seconds: defaultdict[str, float] = defaultdict(float)


@contextmanager
def inside_model(name: str) -> Iterator[None]:
    """Add the wall seconds of the block to `name` (`stage.model`)."""
    start = time.perf_counter()
    try:
        yield
    finally:
        _seconds[name] += time.perf_counter() - start


def take_model_seconds() -> dict[str, float]:
    """Seconds per model since the last call, in this process; the counters start again at zero."""
    taken = dict(_seconds)
    _seconds.clear()
    return taken
