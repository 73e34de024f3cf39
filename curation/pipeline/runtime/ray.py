"""Runs the work of a build on Ray Data, on this machine or on a cluster.

Units are decoded by tasks and labelled by a pool of actors; batches of recordings pass between them. Resuming needs no
state of Ray: a batch is done when its staging file exists, so that tasks may be repeated or lost.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import ray
import ray.data

from curation.core.declarations import Resources
from curation.core.errors import ConfigError, UserError
from curation.core.machine import allowed_cpus
from curation.manifests.plan import Unit
from curation.pipeline.assemble import Node, Workers, fitting_workers, none_fits
from curation.pipeline.config import EngineConfig
from curation.pipeline.guard.watchdog import GIB, Watchdog
from curation.pipeline.job import BatchLabelled, Job, Result, Task
from curation.pipeline.label import BatchLabeller, UnitDecoder
from curation.pipeline.runtime.transfer import packed, unpacked

TASKS_PER_CPU = 16
BLOCK_BYTES = 2**16  # every batch of recordings is a block of its own, so that all workers get some


class RayRuntime:
    """The runtime `ray`: a context that joins a cluster, or starts Ray on this machine."""

    def __init__(self, config: EngineConfig, worker: Resources) -> None:
        """`worker`: what a label worker reserves (`curation.pipeline.assemble.worker_needs`)."""
        self._config, self._worker = config, worker
        self._joined = config.address or os.environ.get("RAY_ADDRESS")

    def __enter__(self) -> Self:
        if self._joined:
            ray.init(address=self._joined, log_to_driver=False, logging_level=logging.ERROR)
        else:
            _start_here()
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", message="The minimum number of concurrent actors")
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = BLOCK_BYTES
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray.shutdown()

    @property
    def num_cpus(self) -> float:
        """CPUs of the cluster."""
        return float(ray.cluster_resources().get("CPU", 1))

    def label(self, job: Job, units: Iterable[Unit], done: Mapping[int, set[int]]) -> Iterator[BatchLabelled]:
        """See `job.Runtime`."""
        tasks = [(unit, sorted(done.get(unit.number, ()))) for unit in units]
        batches = self._dataset(tasks).map_batches(
            _decode,
            fn_kwargs={"job": job},
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=self._config.decode_cpus,
        )
        yield from self._on_actors(batches, partial(_watched_labeller, job), self._worker.gpus)

    def map(
        self, make_worker: Callable[[], Callable[[Task], Result]], tasks: Iterable[Task], *, gpus: float = 0.0
    ) -> Iterator[Result]:
        """See `job.Runtime`. A single task is done here, since starting a process would take longer."""
        every = list(tasks)
        if len(every) == 1 and not gpus:
            yield make_worker()(every[0])
            return
        yield from self._on_actors(self._dataset(every), make_worker, gpus)

    def _dataset(self, tasks: list[Any]) -> Any:
        """The tasks in as many blocks as give every CPU several: a block is one task of Ray's."""
        cpus = max(1, int(self.num_cpus))
        size = max(1, len(tasks) // (cpus * TASKS_PER_CPU))
        return ray.data.from_arrow([packed(tasks[start : start + size]) for start in range(0, len(tasks), size)])

    def _on_actors(
        self, dataset: Any, make_worker: Callable[[], Callable[[Task], Result]], gpus: float
    ) -> Iterator[Result]:
        workers = self._workers(gpus)
        results = dataset.map_batches(
            _Actor,
            fn_constructor_kwargs={"make_worker": make_worker},
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=workers.each.cpus,
            num_gpus=workers.each.gpus,
            memory=int((workers.each.memory_gib or 0.0) * GIB),
            compute=ray.data.ActorPoolStrategy(size=workers.count),
        )
        for table in results.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from _results(table)

    def _workers(self, gpus: float) -> Workers:
        """As many workers as fit now; on a cluster as many as are configured, since it may scale up to them.

        A worker that does not fit yet waits while the others work.
        """
        nodes = [_room(node["Resources"]) for node in ray.nodes() if node["Alive"]]
        workers = fitting_workers(replace(self._worker, gpus=gpus), nodes, self._config)
        if self._joined and self._config.workers:
            return replace(workers, count=self._config.workers)
        if not workers.count:
            msg = (
                f"{none_fits(workers, nodes)}. On an autoscaling cluster, set engine.workers to the number of workers "
                f"to scale to"
            )
            raise ConfigError(msg)
        return workers


def _room(resources: Mapping[str, float]) -> Node:
    return Node(resources.get("CPU", 0.0), resources.get("GPU", 0.0), resources.get("memory", 0.0) / GIB)


def _start_here() -> None:
    """Start Ray on this machine, meanwhile without standard error: its C++ code would write across the progress
    bars.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor is wanted
            os.dup2(nowhere.fileno(), 2)
        ray.init(
            address="local",  # a cluster already running here is joined only with engine.address = auto
            num_cpus=allowed_cpus(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class _Actor:
    """Holds one worker and its models for the life of a process.

    A UserError is returned as a result: Ray would bury one that is raised here under errors of its own.
    """

    def __init__(self, make_worker: Callable[[], Callable[[Any], Any]]) -> None:
        self._worker = cache(make_worker)

    def __call__(self, rows: pa.Table) -> pa.Table:
        try:
            worker = self._worker()
            return packed(worker(task) for task in unpacked(rows))
        except UserError as error:
            return packed([error])


def _results(table: pa.Table) -> Iterator[Any]:
    """The results of tasks. Raises the UserError that one of them is."""
    for result in unpacked(table):
        if isinstance(result, UserError):
            raise result
        yield result


def _watched_labeller(job: Job) -> BatchLabeller:
    return BatchLabeller(job, job.watchdog())


@cache
def _decode_watchdog(job_run: str, timeout_seconds: float, max_gib: float) -> Watchdog:  # noqa: ARG001 - cache key
    return Watchdog(timeout_seconds, max_gib)


def _decode(rows: pa.Table, job: Job) -> Iterator[pa.Table]:
    engine = job.config.engine
    decoder = UnitDecoder(job, _decode_watchdog(job.run, engine.timeout_seconds, engine.max_worker_gib))
    for unit, done in unpacked(rows):
        for batch in decoder.batches(unit, done):
            yield packed([batch])
