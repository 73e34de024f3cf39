"""Runs the work in this process, one task after the other: for tests, debugging and tiny inputs.

It gives the same rows as Ray, but cannot outlive a crash in native code or stop a stage that hangs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from curation.manifests.plan import Unit
from curation.manifests.runs import PoolTimes
from curation.pipeline.job import BatchLabelled, Job, PoolLoad, Result, Task
from curation.pipeline.label import BatchLabeller, UnitDecoder


class LocalRuntime:
    """The runtime `in-process`."""

    num_cpus = 1.0

    def pool_times(self) -> dict[str, PoolTimes]:
        """See `job.Runtime`."""
        return {}

    def pool_loads(self) -> dict[str, PoolLoad]:
        """See `job.Runtime`."""
        return {}

    def label(self, job: Job, units: Iterable[Unit], done: Mapping[int, set[int]]) -> Iterator[BatchLabelled]:
        """See `job.Runtime`."""
        decoder, labeller = UnitDecoder(job), BatchLabeller(job)
        for unit in units:
            yield from map(labeller, decoder.batches(unit, done.get(unit.number, ())))

    def map(
        self,
        make_worker: Callable[[], Callable[[Task], Result]],
        tasks: Iterable[Task],
        *,
        gpus: float = 0.0,  # noqa: ARG002 - this process has one or not
        guarded: bool = False,  # noqa: ARG002 - nothing can be done here
    ) -> Iterator[Result]:
        """See `job.Runtime`."""
        return map(make_worker(), tasks)
