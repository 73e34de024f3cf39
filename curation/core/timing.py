"""Counts the seconds spent inside stages and models, so that a build can say where its time went.

    with inside_model("transcribe.whisper-base"):
        model.transcribe(...)

Wall seconds, per process.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from curation.core.records import Count, Finite, typed

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


@dataclass(slots=True)
class StageTimes:
    """The cost of labelling: wall seconds by stage and by model (`stage.model`), and the peak memory of a worker."""

    stages: dict[str, Finite] = field(default_factory=dict)
    models: dict[str, Finite] = field(default_factory=dict)
    peak_bytes: Count = 0

    def add(self, other: Self) -> None:
        """Add the seconds of `other` to these; the higher peak counts."""
        add_seconds(self.stages, other.stages)
        add_seconds(self.models, other.models)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError, which names the field, for other values."""
        return typed(cls, values)


def add_seconds(total: dict[str, float], more: Mapping[str, float]) -> None:
    """Add seconds by name to `total`."""
    for name, seconds in more.items():
        total[name] = total.get(name, 0.0) + seconds
