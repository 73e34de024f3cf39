"""What worker processes do, one call at a time: decode, label, or a task of the publish pass."""

import gc
import pickle
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from curation.core.errors import ConfigError, UserError
from curation.core.machine import give_back_memory
from curation.manifests.plan import Unit
from curation.pipeline.config import EngineConfig
from curation.pipeline.guard.quarantine import Attempt, working_on
from curation.pipeline.guard.watchdog import Watchdog
from curation.pipeline.job import Job
from curation.pipeline.label import Batch, BatchLabeller, Heard, UnitDecoder
from curation.pipeline.runtime.transfer import Piece, packed, unpacked
from curation.pipeline.workers.operators import DECODE, FUSED, WHOLE, Levels, Operator

IMPORTABLE = "stages of your own must be in a module that is there on every machine"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call gives."""

    result: Any
    """Small, for the driver."""
    piece: Any = None
    """For another worker: the driver only hands it on."""
    size: int = 0
    """Bytes of the piece."""
    seconds: float = 0.0
    """That the worker took."""


class Decoding:
    """Decodes units; a call gives the next batch of one, and its name."""

    def __init__(self, job: Job, watchdog: Watchdog | None = None) -> None:
        self._decoder = UnitDecoder(job, watchdog or job.watchdog())
        self._opening = -1
        self._batches: Iterator[Batch] = iter(())

    def __call__(self, attempt: Attempt, opening: int, unit: Unit, done: Collection[int]) -> Reply:
        """The next batch without those in `done`; a new `opening` begins the unit again."""
        if opening != self._opening:
            self._opening = opening
            self._batches = self._decoder.batches(unit, set(done), attempt)
        batch = next(self._batches, None)
        return Reply(batch and batch.name, batch)

    def forget(self) -> None:
        """Free the unit that it has begun, with its latest batch; another call begins it again."""
        self._opening, self._batches = -1, iter(())


class Labelling:
    """Runs an operator on batches."""

    def __init__(self, job: Job, operator: Operator, watchdog: Watchdog | None = None) -> None:
        self._labeller = BatchLabeller(job, watchdog or job.watchdog(), operator)
        self._labeller.setup()

    def __call__(self, attempt: Attempt, batch: Batch, *heard: Heard) -> Reply:
        """The batch, what a branch found in it, or the result of the last operator."""
        given = self._labeller(batch, *heard, attempt=attempt)
        return Reply(None, given) if isinstance(given, Batch | Heard) else Reply(given)


class Whole:
    """Runs all stages on batches, those of units that it decodes itself too."""

    def __init__(self, job: Job) -> None:
        watchdog = job.watchdog()
        self._decoding, self._labelling = Decoding(job, watchdog), Labelling(job, WHOLE, watchdog)

    def __call__(self, attempt: Attempt, *given: Any) -> Reply:
        """The result of a batch, or, given what `Decoding` is, of the next one of a unit."""
        if isinstance(given[0], Batch):
            self._decoding.forget()  # memory is reserved for one batch
            return self._labelling(attempt, *given)
        batch = self._decoding(attempt, *given).piece
        return Reply(None) if batch is None else self._labelling(attempt, batch)


def makers(job: Job, levels: Levels) -> dict[str, Callable[[], Callable[..., Reply]]]:
    """What makes the worker of each pool of the label pass."""
    parts = {operator.name: partial(Labelling, job, operator) for level in levels for operator in level}
    return {DECODE: partial(Decoding, job), **(parts if levels != FUSED else {WHOLE.name: partial(Whole, job)})}


class Tasks:
    """Does tasks of the publish pass."""

    def __init__(self, engine: EngineConfig, make_worker: Callable[[], Callable[[Any], Any]]) -> None:
        self._watchdog = Watchdog(engine.timeout_seconds, engine.max_worker_gib)
        self._worker = make_worker()

    def __call__(self, attempt: Attempt, task: Any) -> Reply:
        """The result of a task."""
        limit = self._watchdog.limit(f"the task {attempt.task}", attempt.explain, lambda: attempt.noted)
        with working_on(attempt), limit:
            result = self._worker(task)
        attempt.finish()
        return Reply(result)


class Process:
    """Holds one worker and its models for the time of a step.

    A UserError is returned as a result: Ray would bury one that is raised here under errors of its own.
    """

    def ready(self) -> None:
        """Say that the process runs."""

    def load(self, make: bytes) -> UserError | None:
        """Make the worker, with its models. `make` is the pickle of a function of this run that gives it."""
        try:
            made: Callable[[], Callable[..., Reply]] = pickle.loads(make)  # noqa: S301 - made by this run
        except (ImportError, AttributeError) as error:
            return ConfigError(f"a worker cannot import what this build is made of ({error}): {IMPORTABLE}")
        try:
            self._worker = made()
        except UserError as error:
            return error
        return None

    def clear(self) -> None:
        """Free the worker and its models."""
        del self._worker
        gc.collect()
        give_back_memory()

    def call(self, *arguments: Any) -> tuple[Reply | UserError, Piece | None]:
        """What the worker replies, and the piece that it gives on."""
        start = time.perf_counter()
        try:
            reply = self._worker(*(unpacked(item) if isinstance(item, Piece) else item for item in arguments))
        except UserError as error:
            return error, None
        piece = None if reply.piece is None else packed(reply.piece)
        size = 0 if piece is None else piece.nbytes
        return Reply(reply.result, size=size, seconds=time.perf_counter() - start), piece
