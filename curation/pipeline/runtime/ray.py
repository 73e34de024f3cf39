"""Runs the work of a build on Ray, on this machine or on a cluster: the workers of the pools are Ray's actors.

Ray places processes and carries batches between them; which worker gets what is decided in `pool`, `crew` and `flow`.
Resuming needs no state of Ray: a batch is done when its staging file exists, so that calls may be repeated or lost.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from types import TracebackType
from typing import Any, Self

import ray
from ray import cloudpickle
from ray.autoscaler.sdk import request_resources
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ActorUnschedulableError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from curation.core.declarations import Resources
from curation.core.errors import UserError, WorkerError
from curation.core.machine import allowed_cpus
from curation.core.storage import Storage
from curation.manifests.plan import Unit
from curation.manifests.runs import PoolTimes
from curation.pipeline.config import EngineConfig
from curation.pipeline.guard.watchdog import GIB
from curation.pipeline.job import BatchLabelled, Job, PoolLoad, Result, Task
from curation.pipeline.runtime.crew import Crew
from curation.pipeline.runtime.flow import BATCHES_PER_WORKER, Flow, Window
from curation.pipeline.runtime.joining import joined, silenced
from curation.pipeline.runtime.layout import Layout, PoolLayout, chosen_levels
from curation.pipeline.runtime.pool import DiedError, LostError, Pool
from curation.pipeline.runtime.spares import Spares
from curation.pipeline.runtime.work import Process, Reply, Tasks, makers
from curation.pipeline.workers.operators import DECODE, FUSED, WHOLE, Levels
from curation.pipeline.workers.sizing import Node

log = logging.getLogger(__name__)

STORE_SHARE = 0.25
"""Of Ray's object stores, for decoded audio under way unless `engine.window_gib` says otherwise."""
COPIES = 3
"""Of a decoded batch at the same time: as it was decoded, as it is now, and the operator's result."""
DEATH_SECONDS = 60.0
"""Within which Ray knows why a process cannot be reached."""


class RayRuntime:
    """The runtime `ray`: a context that joins a cluster, or starts Ray on this machine."""

    def __init__(self, config: EngineConfig, worker: Resources, out: Storage) -> None:
        """`worker`: what a label worker reserves (`curation.pipeline.assemble.worker_needs`)."""
        self._config, self._worker, self._out = config, worker, out
        self._joined = config.address or os.environ.get("RAY_ADDRESS")
        self._pools: dict[str, Pool] = {}
        """Of the label pass."""
        self._at_work: dict[str, Pool] = {}
        self._spares: Spares[Any] = Spares(ray.kill)

    def __enter__(self) -> Self:
        if self._joined:
            with joined(self._joined):
                context = ray.init(address=self._joined, log_to_driver=False, logging_level=logging.ERROR)
        else:
            context = _start_here(dashboard=self._config.dashboard)
        if self._config.dashboard:
            log.warning("Ray's dashboard: %s", f"http://{context.dashboard_url}" if context.dashboard_url else "none")
        if self._joined and self._config.workers:
            request_resources(bundles=[_bundle(self._worker)] * self._config.workers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._joined and self._config.workers:
            request_resources(bundles=[])
        ray.shutdown()

    @property
    def num_cpus(self) -> float:
        """CPUs of the cluster."""
        return float(ray.cluster_resources().get("CPU", 1))

    def pool_times(self) -> dict[str, PoolTimes]:
        """See `job.Runtime`."""
        return {name: times for name, pool in self._pools.items() if (times := pool.times).workers}

    def pool_loads(self) -> dict[str, PoolLoad]:
        """See `job.Runtime`."""
        return {name: pool.load for name, pool in self._at_work.items()}

    def label(self, job: Job, units: Iterable[Unit], done: Mapping[int, set[int]]) -> Iterator[BatchLabelled]:
        """See `job.Runtime`."""
        levels = chosen_levels(job.config, job.make_stages(job.config), _nodes(), job.batch_seconds)
        layout = self._layout_of(levels)
        alone = levels == FUSED and not self._worker.gpus  # a GPU would wait while its worker reads and decodes
        singly = {DECODE, WHOLE.name} if alone else {DECODE}
        pools = {
            name: Pool(name, partial(self._start, make, layout, name), 1 if name in singly else 2, eager=name != DECODE)
            for name, make in makers(job, levels).items()
        }
        self._pools = self._at_work = pools
        layout.pools = pools
        crew = Crew(pools, layout, self._config, self._out)
        store = ray.cluster_resources().get("object_store_memory", 0.0) * STORE_SHARE / COPIES
        window = Window(store if self._config.window_gib is None else self._config.window_gib * GIB, layout.workers)
        flow = Flow(crew, levels, window, self._out, pools[WHOLE.name] if alone else None)
        yield from crew.results(partial(flow.run, units, done))

    def _layout_of(self, levels: Levels) -> Layout | PoolLayout:
        if levels == FUSED:
            return self._layout(self._worker, WHOLE.name)
        return PoolLayout(self._config, levels, _nodes, may_grow=self._may_grow)

    def map(
        self,
        make_worker: Callable[[], Callable[[Task], Result]],
        tasks: Iterable[Task],
        *,
        gpus: float = 0.0,
        guarded: bool = False,
    ) -> Iterator[Result]:
        """See `job.Runtime`. A single task is done here, since starting a process would take longer."""
        coming = iter(tasks)
        first = list(islice(coming, 2))
        if len(first) < 2 and not (gpus or guarded):
            yield from map(make_worker(), first)
            return
        needs, name = replace(self._worker, gpus=gpus), "publish"
        layout = self._layout(needs, name)
        pool = Pool(name, partial(self._start, partial(Tasks, self._config, make_worker), layout, name))
        self._at_work = {name: pool}
        crew = Crew(self._at_work, layout, self._config, self._out)

        async def do(number: int, task: Task) -> None:
            reply = await crew.attempted(pool, task.name, task, rank=(number,))
            crew.queue.put_nowait(reply.result)

        async def work() -> None:
            for number, task in enumerate(chain(first, coming)):
                await crew.room(lambda: BATCHES_PER_WORKER * layout.workers())
                crew.begin(do(number, task))

        yield from crew.results(work)

    def _layout(self, needs: Resources, name: str) -> Layout:
        return Layout(self._config, needs, name, _nodes, may_grow=self._may_grow)

    @property
    def _may_grow(self) -> bool:
        return bool(self._joined and self._config.workers)

    def _start(self, make: Callable[[], Any], layout: Layout | PoolLayout, name: str, node: str) -> "_RayWorker":
        return _RayWorker(make, layout.each(name, node), node, self._config.start_seconds, self._spares)


class _RayWorker:
    """A worker process: an actor on a node, see `pool.Worker`."""

    def __init__(
        self, make: Callable[[], Any], needs: Resources, node: str, start_seconds: float, spares: Spares[Any]
    ) -> None:
        """`spares`: of earlier steps, of which it takes one if it can, and to which it leaves its own."""
        self._make, self._needs, self._node = make, needs, node
        self._start_seconds, self._spares = start_seconds, spares
        spare = spares.take(node, needs)
        self._is_spare = spare is not None
        self._actor = spare or self._begun()

    def _begun(self) -> Any:
        """A new process."""
        options = {
            "num_cpus": self._needs.cpus,
            "num_gpus": self._needs.gpus,
            "memory": int((self._needs.memory_gib or 0.0) * GIB),
            "max_restarts": 0,
            "max_task_retries": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(self._node, soft=False),
        }
        return ray.remote(**options)(Process).remote()

    async def start(self) -> None:
        """See `pool.Worker`."""
        try:
            await asyncio.wait_for(self._runs(), self._start_seconds)
        except TimeoutError as error:
            msg = (
                f"a worker that reserves {self._needs.cpus:g} CPUs, {self._needs.gpus:g} GPUs and "
                f"{self._needs.memory_gib or 0.0:.1f} GiB did not start within engine.start_seconds = "
                f"{self._start_seconds:g}: does something else use the cluster?"
            )
            raise WorkerError(msg) from error
        await self._value(self._actor.load.remote(cloudpickle.dumps(self._make)))

    async def _runs(self) -> None:
        """Return when the process runs; where a spare one has died meanwhile, a new one."""
        try:
            await self._value(self._actor.ready.remote())
        except DiedError:
            if not self._is_spare:
                raise
            self._is_spare, self._actor = False, self._begun()
            await self._value(self._actor.ready.remote())

    async def call(self, *arguments: Any) -> Reply:
        """See `pool.Worker`. Pieces stay in Ray's object stores."""
        result, piece = self._actor.call.options(num_returns=2).remote(*arguments)
        reply: Reply = await self._value(result)
        return replace(reply, piece=piece if reply.size else None)

    def end(self) -> None:
        """See `pool.Worker`."""
        ray.kill(self._actor)

    def leave(self) -> None:
        """See `pool.Worker`."""
        self._actor.clear.remote()
        self._spares.leave(self._node, self._needs, self._actor)

    async def _value(self, reference: Any) -> Any:
        """What the actor returns. Raises DiedError, LostError, and the UserError that it returns."""
        try:
            value = await reference
        except ActorUnavailableError:
            raise await self._death() from None
        except (ActorDiedError, ActorUnschedulableError, NodeDiedError, OutOfMemoryError) as error:
            raise _died(error) from None
        except ObjectLostError as error:
            raise LostError(str(error)) from None
        if isinstance(value, UserError):
            raise value
        return value

    async def _death(self) -> DiedError:
        """Why the actor cannot be reached; Ray knows a little later than it notices."""
        end = time.monotonic() + DEATH_SECONDS
        while time.monotonic() < end:
            try:
                await self._actor.ready.remote()
            except ActorUnavailableError:
                await asyncio.sleep(0.2)
            except (ActorDiedError, ActorUnschedulableError, NodeDiedError, OutOfMemoryError) as error:
                return _died(error)
            else:
                break
        return DiedError("node", "the node could not be reached")


def _died(error: Exception) -> DiedError:
    text = str(error)
    if isinstance(error, OutOfMemoryError):
        return DiedError("memory", "Ray ended the worker process because its machine ran out of memory")
    if isinstance(error, ActorDiedError) and not (error.preempted or "node has died" in text):
        return DiedError("process", "")
    return DiedError("node", text)


def _nodes() -> dict[str, Node]:
    return {node["NodeID"]: _room(node["Resources"]) for node in ray.nodes() if node["Alive"]}


def _room(resources: Mapping[str, float]) -> Node:
    return Node(resources.get("CPU", 0.0), resources.get("GPU", 0.0), resources.get("memory", 0.0) / GIB)


def _bundle(needs: Resources) -> dict[str, float]:
    bundle = {"CPU": needs.cpus, "GPU": needs.gpus, "memory": (needs.memory_gib or 0.0) * GIB}
    return {name: amount for name, amount in bundle.items() if amount}


def _start_here(*, dashboard: bool) -> Any:
    """Start Ray on this machine."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with silenced():
        return ray.init(
            address="local",  # a cluster already running here is joined only with engine.address = auto
            num_cpus=allowed_cpus(),
            include_dashboard=dashboard,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
