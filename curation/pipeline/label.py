"""The work of the label pass, as plain classes: decode units into batches, label batches, commit them.

`runtime.ray` runs these on Ray and `runtime.local` in a loop; both give the same rows.
"""

import itertools
import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import StorageError
from curation.core.file_state import FileState
from curation.core.patient_file import PatientFile, has_folder
from curation.core.timing import StageTimes, take_model_seconds
from curation.manifests import staging
from curation.manifests.error_rates import ErrorRate, error_rates
from curation.manifests.plan import Stretch, Unit
from curation.manifests.records import Recording, Source, fail
from curation.manifests.staging import BatchName
from curation.pipeline.gpu import NOTE as FALLBACK
from curation.pipeline.gpu import for_this_machine
from curation.pipeline.guard.quarantine import Attempt, Crash, Quarantine
from curation.pipeline.guard.watchdog import Watchdog
from curation.pipeline.job import BatchLabelled, Job
from curation.stages.base import Stage, run_stage
from curation.stages.decode.media import open_binary
from curation.stages.decode.segment import Part
from curation.stages.decode.stage import decode_spans

log = logging.getLogger(__name__)

MAX_BATCH_ROWS = 64


@dataclass(slots=True)
class Batch:
    """Recordings that are labelled and committed together."""

    name: BatchName
    recordings: list[Recording]
    decode_seconds: float = 0.0


class UnitDecoder:
    """Reads units of recordings and groups their spans into batches."""

    def __init__(self, job: Job, watchdog: Watchdog | None = None) -> None:
        self._job = job
        self._quarantine = Quarantine(job.out, job.run)
        self._watchdog = watchdog

    def batches(self, unit: Unit, done: Collection[int] = ()) -> Iterator[Batch]:
        """The batches of a unit in order, without those in `done`. What a batch holds depends on nothing else."""
        limit = self._job.config.engine.batch_seconds * SAMPLE_RATE
        with self._quarantine.attempt(f"decode-{unit.number:08d}") as attempt:
            batch, start = Batch(BatchName(unit.number, 0), []), time.perf_counter()
            for span in self._spans(unit, attempt):
                seconds = time.perf_counter() - start
                samples = sum(item.num_samples for item in batch.recordings) + span.num_samples
                if batch.recordings and (samples > limit or len(batch.recordings) >= MAX_BATCH_ROWS):
                    if batch.name.batch not in done:
                        yield batch
                    batch = Batch(BatchName(unit.number, batch.name.batch + 1), [])
                batch.recordings.append(span)
                batch.decode_seconds += seconds
                start = time.perf_counter()
            batch.name, number = replace(batch.name, last=True), batch.name.batch
            # An earlier decode of a file that has changed since may have gone on after this batch.
            if number not in done or not self._job.out.exists(batch.name.file):
                yield batch

    def _spans(self, unit: Unit, attempt: Attempt) -> Iterator[Recording]:
        """The spans of a unit; of a recording that is tried again those that failed, if its file is the same."""
        for planned in unit.sources:
            source = replace(planned, version=FileState.at(planned.path).version)
            if planned.version and not source.version and not has_folder(planned.path):
                msg = (
                    f"{planned.path}: the folder from which it was listed is away: bring it back, and run the same "
                    f"command again; nothing is lost"
                )
                raise StorageError(msg)
            again = unit.stretches.get(source.id) if source.version and source.version == planned.version else None
            for span in self._of_source(source, attempt):
                if again is None or any(_meets(span, stretch) for stretch in again):
                    yield span

    def _of_source(self, source: Source, attempt: Attempt) -> Iterator[Recording]:
        if source.id in attempt.victims:
            yield from self._up_to_crash(source, attempt.victims[source.id])
            return
        spans = self._decoded(source)
        for number in itertools.count():
            if attempt.careful:
                attempt.note(source.id, "decode", spans=number)
            span = self._watched(spans, source, attempt)
            if span is None:
                return
            yield span

    def _decoded(self, source: Source) -> Iterator[Recording]:
        def patient(path: str) -> BinaryIO:
            return cast("BinaryIO", PatientFile(path, open_binary))

        return decode_spans(source, self._job.config.decode, open_file=patient)

    def _watched(self, spans: Iterator[Recording], source: Source, attempt: Attempt) -> Recording | None:
        if self._watchdog is None:
            return next(spans, None)
        with self._watchdog.limit(f"decoding {source.path}", attempt.explain):
            return next(spans, None)

    def _up_to_crash(self, source: Source, crash: Crash) -> Iterator[Recording]:
        """The spans that were decoded before the recording killed its worker, then one failed row for the rest."""
        end, span = 0, None
        for span in itertools.islice(self._decoded(source), crash.spans):
            span.last = False
            end = span.end
            yield span
        rest = Recording(source=source, span=crash.spans, offset=end, verdict=fail("decode", crash.detail))
        if span is not None:
            rest.media = span.media
            rest.num_samples = max(0, Part.of(source).expected(span.media) - end)
        yield rest


def _meets(span: Recording, stretch: Stretch) -> bool:
    """Whether a span has a part in a stretch; one without a sample may lie in it."""
    start, end = stretch
    return start < max(span.end, span.offset + 1) and span.offset < end


class BatchLabeller:
    """Runs the stages on batches and commits them. Models are loaded with the first batch."""

    def __init__(self, job: Job, watchdog: Watchdog | None = None) -> None:
        self._job = job
        self._out = job.out
        self._quarantine = Quarantine(job.out, job.run)
        self._watchdog = watchdog
        self._stages: list[Stage] | None = None
        self._note = ""

    def __call__(self, batch: Batch) -> BatchLabelled:
        """Label a batch and commit it; nothing is done where it is committed already."""
        recordings = batch.recordings
        errors: dict[str, ErrorRate] = {}
        if not self._out.exists(batch.name.file):
            with self._quarantine.attempt(str(batch.name)) as attempt:
                times = self._run(recordings, attempt)
                times.stages["decode"] = batch.decode_seconds
                audio = self._job.config.engine.staging_audio
                staging.commit(self._out, batch.name, recordings, times, audio=audio)
                errors = error_rates(recordings)
        return BatchLabelled(
            name=batch.name,
            recordings=len(recordings),
            failed=sum(item.verdict is not None and item.verdict.status == "failed" for item in recordings),
            errors=errors,
            steps=int(batch.name.last),
            audio_seconds=sum(item.num_samples for item in recordings) / SAMPLE_RATE,
            warning=self._note,
        )

    def _run(self, recordings: list[Recording], attempt: Attempt) -> StageTimes:
        for recording in recordings:
            crash = attempt.victims.get(_key(recording))
            if crash is not None:
                recording.verdict, recording.audio = fail("worker", crash.detail), None
        seconds: dict[str, float] = {}
        stages = self._loaded_stages()
        take_model_seconds()
        for group in [[item] for item in recordings] if attempt.careful else [recordings]:
            for stage in stages:
                if attempt.careful:
                    attempt.note(_key(group[0]), f"stage {stage.name}")
                start = time.perf_counter()
                self._watched(stage, group, attempt)
                seconds[stage.name] = seconds.get(stage.name, 0.0) + time.perf_counter() - start
        for recording in recordings:
            _check_segments(recording)
            if self._note:
                recording.notes[FALLBACK] = self._note
        peak = self._watchdog.peak_bytes if self._watchdog else 0
        return StageTimes(seconds, take_model_seconds(), peak)

    def _watched(self, stage: Stage, group: list[Recording], attempt: Attempt) -> None:
        if self._watchdog is None:
            run_stage(stage, group)
            return
        with self._watchdog.limit(f"stage {stage.name}", attempt.explain):
            run_stage(stage, group)

    def _loaded_stages(self) -> list[Stage]:
        if self._stages is None:
            config, self._note = for_this_machine(self._job.config, but="tokenize")
            stages = self._job.make_stages(config)
            for stage in stages:
                stage.setup()
            self._stages = stages
        return self._stages


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
