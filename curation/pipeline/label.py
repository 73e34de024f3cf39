"""The work of the label pass, as plain classes: decode units into batches, label batches, commit them.

`runtime.ray` runs these on Ray and `runtime.local` in a loop; both give the same rows.
"""

import itertools
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import StorageError
from curation.core.file_state import FileState
from curation.core.machine import give_back_memory
from curation.core.patient_file import has_folder
from curation.core.timing import StageTimes, take_model_seconds
from curation.manifests import staging
from curation.manifests.error_rates import ErrorRate, error_rates
from curation.manifests.plan import Stretch, Unit
from curation.manifests.records import Recording, Source, fail
from curation.manifests.removals.tombstones import Tombstones
from curation.manifests.staging import BatchName
from curation.pipeline.gpu import NOTE as FALLBACK
from curation.pipeline.gpu import for_this_machine
from curation.pipeline.guard.quarantine import Attempt, Crash
from curation.pipeline.guard.watchdog import Watchdog
from curation.pipeline.job import BatchLabelled, Job
from curation.pipeline.workers.operators import WHOLE, Operator
from curation.stages.base import Branched, Stage, run_branch, run_join, run_stage
from curation.stages.decode.media import open_patiently
from curation.stages.decode.removed import unless_removed
from curation.stages.decode.segment import Part
from curation.stages.decode.stage import decode_spans

log = logging.getLogger(__name__)

GROUP_SECONDS = 300.0
"""Audio of a batch that goes through the stages together, where `engine.batch_seconds` does not say."""
LONG_SECONDS = 1.0
"""A stage that took as long may leave much freed memory; what others leave, the next one takes."""


@dataclass(slots=True)
class Batch:
    """Recordings that are labelled and committed together."""

    name: BatchName
    recordings: list[Recording]
    times: StageTimes = field(default_factory=StageTimes)
    """Spent on it so far."""
    heard: dict[str, list[Any]] = field(default_factory=dict)
    """What each branch of a stage has found, one result for each recording, until the stage puts it together."""
    warning: str = ""

    @property
    def num_samples(self) -> int:
        """Of all recordings."""
        return sum(item.num_samples for item in self.recordings)


@dataclass(slots=True)
class Heard:
    """What one branch of a stage has found in a batch."""

    branch: str
    results: list[Any]
    """One for each recording."""
    times: StageTimes
    warning: str = ""


class UnitDecoder:
    """Reads units of recordings and groups their spans into batches."""

    def __init__(self, job: Job, watchdog: Watchdog | None = None) -> None:
        self._job = job
        self._watchdog = watchdog

    @cached_property
    def _removed(self) -> Tombstones:
        return Tombstones.read(self._job.out)

    def batches(self, unit: Unit, done: Collection[int] = (), attempt: Attempt | None = None) -> Iterator[Batch]:
        """The batches of a unit in order, without those in `done`. What a batch holds depends on nothing else."""
        attempt = attempt or Attempt()
        limit = unit.batch_seconds * SAMPLE_RATE
        batch, decoding, start = Batch(BatchName(unit.number, 0), []), 0.0, time.perf_counter()
        for span in self._spans(unit, attempt):
            seconds = time.perf_counter() - start
            if batch.recordings and batch.num_samples + span.num_samples > limit:
                if batch.name.batch not in done:
                    batch.times.stages["decode"] = decoding
                    yield batch
                batch, decoding = Batch(BatchName(unit.number, batch.name.batch + 1), []), 0.0
            batch.recordings.append(span)
            decoding += seconds
            start = time.perf_counter()
        attempt.finish()
        batch.name, batch.times.stages["decode"] = replace(batch.name, last=True), decoding
        # An earlier decode of a file that has changed since may have gone on after this batch.
        if batch.name.batch not in done or not self._job.out.exists(batch.name.file):
            yield batch

    def _spans(self, unit: Unit, attempt: Attempt) -> Iterator[Recording]:
        """The spans of a unit; of a recording that is tried again those that failed, if its file is the same."""
        for planned in unit.sources:
            now = FileState.at(planned.path)
            source = replace(planned, version=now.version)
            if planned.version and not source.version and not has_folder(planned.path):
                msg = (
                    f"{planned.path}: the folder from which it was listed is away: bring it back, and run the same "
                    f"command again; nothing is lost"
                )
                raise StorageError(msg)
            again = unit.stretches.get(source.id) if source.version and source.version == planned.version else None
            open_file = partial(open_patiently, size=now.size)
            decode = partial(decode_spans, source, self._job.config.decode, open_file=open_file)
            spans = unless_removed(decode, self._removed)
            if source.id in attempt.victims:
                spans = self._up_to_crash(source, spans, attempt.victims[source.id])
            for number in itertools.count():
                attempt.note(source.id, "decode", spans=number)
                with _limited(self._watchdog, f"decoding {source.path}", attempt):
                    span = next(spans, None)
                if span is None:
                    break
                if again is None or any(_meets(span, stretch) for stretch in again):
                    yield span

    @staticmethod
    def _up_to_crash(source: Source, spans: Iterator[Recording], crash: Crash) -> Iterator[Recording]:
        """The spans that were decoded before the recording killed its worker, then one failed row for the rest."""
        end, span = 0, None
        for span in itertools.islice(spans, crash.spans):
            span.last = False
            end = span.end
            yield span
        rest = Recording(source=source, span=crash.spans, offset=end, verdict=fail("decode", crash.detail))
        if span is not None:
            rest.media = span.media
            rest.num_samples = max(0, Part.of(source).expected(span.media) - end)
        yield rest


def _limited(watchdog: Watchdog | None, what: str, attempt: Attempt) -> AbstractContextManager[None]:
    """The limits of a worker on a block, which `what` names; none where nothing watches the process."""
    return nullcontext() if watchdog is None else watchdog.limit(what, attempt.explain)


def _meets(span: Recording, stretch: Stretch) -> bool:
    """Whether a span has a part in a stretch; one without a sample may lie in it."""
    start, end = stretch
    return start < max(span.end, span.offset + 1) and span.offset < end


class BatchLabeller:
    """Runs an operator on batches: some of the stages, or all of them; the last one commits the batch."""

    def __init__(self, job: Job, watchdog: Watchdog | None = None, operator: Operator = WHOLE) -> None:
        self._job = job
        self._out = job.out
        self._watchdog = watchdog
        self._operator = operator
        self._stages: list[Stage] | None = None
        self._last_on_spans = ""
        self._warning = ""

    def setup(self) -> None:
        """Load the models of its stages, once. Raises ModelError."""
        if self._stages is not None:
            return
        operator, config = self._operator, self._job.config
        every = self._job.make_stages(config)
        names = operator.stages or tuple(stage.name for stage in every)
        self._last_on_spans = next((stage.name for stage in reversed(every) if stage.hears_spans), "")
        sections = operator.stages or tuple(name for name in type(config).model_fields if name != "tokenize")
        only = tuple(f"{name}." for name in sections)
        if operator.branch:
            only = (f"{names[0]}.systems.{operator.branch}.",)
        config, self._warning = for_this_machine(config, only=only)
        stages = [stage for stage in self._job.make_stages(config) if stage.name in names]
        for stage in stages[1:] if operator.joins else stages:
            if operator.branch and isinstance(stage, Branched):
                stage.setup_branch(operator.branch)
            else:
                stage.setup()
        self._stages = stages

    def __call__(self, batch: Batch, *heard: Heard, attempt: Attempt | None = None) -> BatchLabelled | Batch | Heard:
        """Give the batch on, or what a branch found in it; the last operator commits it, once."""
        attempt = attempt or Attempt()
        if self._operator.commits and self._out.exists(batch.name.file):
            return self._report(replace(batch, times=StageTimes()), {})
        for part in heard:
            batch.heard[part.branch] = part.results
            batch.times.add(part.times)
            batch.warning = batch.warning or part.warning
        times = self._run(batch, attempt)
        if self._operator.branch and not self._operator.leads:
            attempt.finish()
            return Heard(self._operator.branch, batch.heard[self._operator.branch], times, self._warning)
        batch.times.add(times)
        batch.warning = batch.warning or self._warning
        if not self._operator.commits:
            attempt.finish()
            return batch
        self._commit(batch)
        attempt.finish()
        return self._report(batch, error_rates(batch.recordings))

    def _run(self, batch: Batch, attempt: Attempt) -> StageTimes:
        for recording in batch.recordings:
            crash = attempt.victims.get(_key(recording))
            if crash is not None:
                recording.exclude(fail("worker", crash.detail))
        self.setup()
        seconds: dict[str, float] = {}
        take_model_seconds()
        most = (self._job.config.engine.batch_seconds or GROUP_SECONDS) * SAMPLE_RATE
        every = [[number] for number in range(len(batch.recordings))]
        for group in every if attempt.careful else _groups(batch.recordings, most):
            for stage in self._stages or []:
                attempt.note(_key(batch.recordings[group[0]]), f"stage {stage.name}")
                start = time.perf_counter()
                with _limited(self._watchdog, f"stage {stage.name}", attempt):
                    self._on_group(stage, batch, group)
                taken = time.perf_counter() - start
                seconds[stage.name] = seconds.get(stage.name, 0.0) + taken
                if taken >= LONG_SECONDS:
                    give_back_memory()
        peak = self._watchdog.peak_bytes if self._watchdog else 0
        return StageTimes(seconds, take_model_seconds(), peak)

    def _on_group(self, stage: Stage, batch: Batch, group: list[int]) -> None:
        recordings, branch = [batch.recordings[number] for number in group], self._operator.branch
        if not isinstance(stage, Branched) or not (branch or self._operator.joins):
            run_stage(stage, recordings)
        elif branch:
            batch.heard.setdefault(branch, []).extend(run_branch(stage, branch, recordings))
        else:
            found = {name: [results[number] for number in group] for name, results in batch.heard.items()}
            run_join(stage, recordings, found)
        if stage.name == self._last_on_spans:
            for recording in recordings:
                recording.release()

    def _commit(self, batch: Batch) -> None:
        for recording in batch.recordings:
            _check_segments(recording)
            if batch.warning:
                recording.notes[FALLBACK] = batch.warning
        audio = self._job.config.engine.staging_audio
        staging.commit(self._out, batch.name, batch.recordings, batch.times, audio=audio)

    @staticmethod
    def _report(batch: Batch, errors: dict[str, ErrorRate]) -> BatchLabelled:
        return BatchLabelled(
            name=batch.name,
            recordings=len(batch.recordings),
            failed=sum(item.verdict is not None and item.verdict.status == "failed" for item in batch.recordings),
            errors=errors,
            times=batch.times,
            steps=int(batch.name.last),
            audio_seconds=batch.num_samples / SAMPLE_RATE,
            warning=batch.warning,
        )


def _groups(recordings: Sequence[Recording], most: float) -> Iterator[list[int]]:
    """Numbers of recordings that have `most` samples together at most, or are one."""
    group, total = list[int](), 0
    for number, recording in enumerate(recordings):
        if group and total + recording.num_samples > most:
            yield group
            group, total = [], 0
        group.append(number)
        total += recording.num_samples
    if group:
        yield group


def _check_segments(recording: Recording) -> None:
    """Fail a recording whose segments a stage has misplaced: only that one, before it can end the whole build."""
    end = recording.offset
    for segment in sorted(recording.segments, key=lambda item: (item.start, item.end)):
        if not end <= segment.start <= segment.end <= recording.end:
            where = f"samples {segment.start}..{segment.end} of {recording.offset}..{recording.end}"
            log.error("%s: segments overlap or leave their span at %s", recording.source.path, where)
            recording.verdict = fail("conservation", f"segments overlap or leave their span at {where}")
            recording.segments = []
            return
        end = segment.end


def _key(recording: Recording) -> str:
    return f"{recording.source.id}#{recording.span}"
