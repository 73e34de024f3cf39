"""Live figures of a build in the text format of Prometheus: `curation build --metrics PORT`.

    with served("9400") as figures:
        figures.add(progress, done)     # after each finished task

A figure that is not known yet is absent, never 0. What is counted is of this run, in this process: it adds up to what
ledger and summary say of a build that one run has made; the seconds of the ledger always do.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.core.timing import StageTimes
from curation.manifests.runs import PoolTimes
from curation.pipeline.job import BatchesJudged, BatchLabelled, Done, LedgerPartWritten, PoolLoad, Progress

HOST = "127.0.0.1"
"""Without another address, only this machine can ask."""
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A figure, with a value for each combination of its labels. The name of one that only grows ends in `_total`."""

    name: str
    meaning: str
    labels: Labels = ()


FAMILIES = (
    Family("curation_tasks_planned", "Tasks of a step that this run has to do; units in `label`", ("step",)),
    Family("curation_tasks_total", "Tasks of a step that are done", ("step",)),
    Family("curation_batches_total", "Batches that the label pass has committed"),
    Family("curation_spans_total", "Spans of recordings in these batches: `labelled`, or `failed`", ("outcome",)),
    Family("curation_audio_seconds_total", "Seconds of audio that models worked on in a step", ("step",)),
    Family("curation_stage_seconds_total", "Seconds that workers spent in a stage of the label pass", ("stage",)),
    Family("curation_model_seconds_total", "Seconds of these inside a model; with the tokenizers", ("model",)),
    Family("curation_calls_total", "Utterances given to an ASR system; recordings given to the stages", ("name",)),
    Family("curation_errors_total", "Calls of these that raised", ("name",)),
    Family("curation_ledger_seconds", "Seconds of audio in the ledger that is being written", ("status", "reason")),
    Family("curation_last_commit_timestamp_seconds", "When a task of a step was last done, since 1970", ("step",)),
    Family("curation_pool_workers", "Workers of a pool that are ready", ("pool",)),
    Family("curation_pool_running", "Calls that workers of a pool have", ("pool",)),
    Family("curation_pool_queued", "Calls that wait for a worker of a pool", ("pool",)),
    Family(
        "curation_pool_seconds_total",
        "Seconds of the workers of the label pass: `busy`, `waiting` for input, or `blocked` by output",
        ("pool", "state"),
    ),
    Family("curation_pool_retries_total", "Calls of the label pass that were lost with a worker or a node", ("pool",)),
)


class Figures(Collector):
    """The figures of one build."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._values: dict[str, dict[Labels, float]] = {}
        self.pool_times: Callable[[], Mapping[str, PoolTimes]] = dict
        self.pool_loads: Callable[[], Mapping[str, PoolLoad]] = dict

    def add(self, progress: Progress, done: Done | None = None) -> None:
        """Count a finished task; `progress` is that of its step with the task. Without a task, the step starts."""
        step = (progress.step,)
        with self._guard:
            self._set("curation_tasks_planned", step, progress.total)
            self._set("curation_tasks_total", step, progress.done)
            if done is None:
                return
            self._set("curation_last_commit_timestamp_seconds", step, time.time())
            if progress.audio_seconds:
                self._set("curation_audio_seconds_total", step, progress.audio_seconds)
            if isinstance(done, BatchLabelled):
                self._add_batch(done)
            elif isinstance(done, BatchesJudged):
                self._add_times(StageTimes(models=done.model_seconds))
            elif isinstance(done, LedgerPartWritten):
                for status, reason, _, samples in done.tally.verdicts():
                    self._add("curation_ledger_seconds", (status, reason), samples / SAMPLE_RATE)

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """What Prometheus asks for."""
        with self._guard:
            values = {name: dict(found) for name, found in self._values.items()}
        for pool, load in self.pool_loads().items():
            for name in ("workers", "running", "queued"):
                values.setdefault(f"curation_pool_{name}", {})[pool,] = getattr(load, name)
        for pool, times in self.pool_times().items():
            values.setdefault("curation_pool_retries_total", {})[pool,] = times.retries
            for state in ("busy", "waiting", "blocked"):
                values.setdefault("curation_pool_seconds_total", {})[pool, state] = getattr(times, state)
        for family in FAMILIES:
            kind = CounterMetricFamily if family.name.endswith("_total") else GaugeMetricFamily
            metric = kind(family.name, family.meaning, labels=family.labels)
            for labels, value in values.get(family.name, {}).items():
                metric.add_metric(labels, value)
            yield metric

    def _add_batch(self, done: BatchLabelled) -> None:
        self._add("curation_batches_total", (), 1)
        self._add("curation_spans_total", ("failed",), done.failed)
        self._add("curation_spans_total", ("labelled",), done.recordings - done.failed)
        self._add_times(done.times)
        for name, rate in done.errors.items():
            self._add("curation_calls_total", (name,), rate.calls)
            self._add("curation_errors_total", (name,), rate.errors)

    def _add_times(self, times: StageTimes) -> None:
        for name, seconds in times.stages.items():
            self._add("curation_stage_seconds_total", (name,), seconds)
        for name, seconds in times.models.items():
            self._add("curation_model_seconds_total", (name,), seconds)

    def _set(self, name: str, labels: Labels, value: float) -> None:
        self._values.setdefault(name, {})[labels] = value

    def _add(self, name: str, labels: Labels, value: float) -> None:
        self._set(name, labels, self._values.get(name, {}).get(labels, 0.0) + value)


@contextmanager
def served(address: str | None) -> Iterator[Figures]:
    """The figures of a build, served at `PORT` or `HOST:PORT` as long as the block runs; None: nowhere.

    Raises ConfigError where nothing can be served there.
    """
    figures = Figures()
    if address is None:
        yield figures
        return
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    try:
        server, thread = start_http_server(int(port), host.strip("[]") or HOST, registry)
    except (OSError, ValueError, OverflowError) as error:
        msg = f"--metrics {address}: figures cannot be served there ({error}): give another PORT, or HOST:PORT"
        raise ConfigError(msg) from error
    try:
        yield figures
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
