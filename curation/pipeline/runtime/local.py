"""Runs the work in this process, one task after the other: for tests, debugging and tiny inputs.

It gives the same rows as Ray, but cannot outlive a crash in native code or stop a stage that hangs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from curation.manifests.plan import Unit
from curation.pipeline.label import Decoder, Job, Labeller, Report


class InProcess:
    """The runtime `in-process`."""

    num_cpus = 1.0

    def label(self, job: Job, units: Iterable[Unit], done: Mapping[int, set[int]]) -> Iterator[Report]:
        """Label the units, without the batches that are committed; a report for each batch."""
        decoder, labeller = Decoder(job), Labeller(job)
        for unit in units:
            for batch in decoder.batches(unit, done.get(unit.number, ())):
                yield labeller.label(batch)

    def map(
        self,
        make_worker: Callable[[], Callable[[str], Report]],
        tasks: Iterable[str],
        *,
        gpu: bool = False,  # noqa: ARG002 - this process has one or not
    ) -> Iterator[Report]:
        """Give each task to a worker."""
        worker = make_worker()
        for task in tasks:
            yield worker(task)
