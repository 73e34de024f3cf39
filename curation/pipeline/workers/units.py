"""How large units and batches are.

Small where there are few recordings, so that all workers have some; large where there are millions, so that a build of
10 million recordings with 100,000 hours has at most 200,000 staging files. A generation of the plan keeps its sizes.

    sizes = Sizes.of(config, recordings=10_000_000)      # 263 recordings in a unit, 2700 s in a batch
"""

import math
from dataclasses import dataclass
from typing import Self

from curation.pipeline.assemble import USUAL_SECONDS, most_batch_seconds
from curation.pipeline.config import BuildConfig

MIB = 2**20
MIB_FOR_EACH = 64.0
"""Recording of a unit."""
MOST_SECONDS = 2700.0
"""Of a batch: 165 MiB, which are in the memory of a worker as a whole."""
SMALL = 500_000
"""Recordings up to which batches have the usual seconds."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the units and batches of one generation of the plan."""

    unit_files: int
    """Recordings in a unit, at most."""
    unit_bytes: float
    """Of a unit with several recordings, at most."""
    batch_seconds: float
    """Audio of a batch with several spans, at most."""

    @classmethod
    def of(cls, config: BuildConfig, recordings: int) -> Self:
        """For so many recordings, and what the configuration says; batches as large as the memory of workers allows."""
        engine, most = config.engine, min(MOST_SECONDS, most_batch_seconds(config))
        files = engine.unit_files or max(1, math.isqrt(recordings) // 12)
        mib = engine.unit_mib or MIB_FOR_EACH * files
        seconds = engine.batch_seconds or min(max(1.0, recordings / SMALL) * USUAL_SECONDS, most)
        return cls(files, mib * MIB, seconds)

    def most_staging_files(self, recordings: int, seconds: float, span_seconds: float, size: float = 0.0) -> int:
        """Bound for recordings of `seconds` and `size` bytes together, in spans of at most `span_seconds`."""
        # Two neighbouring units of less than `unit_files` are larger than `unit_bytes`, and so with batches; a batch
        # that is not the last of its unit is full up to less than a span.
        units = math.ceil(recordings / self.unit_files) + 2 * math.ceil(size / self.unit_bytes)
        full = max(self.batch_seconds - span_seconds, self.batch_seconds / 2)
        return min(units, recordings) + math.floor(seconds / full)
