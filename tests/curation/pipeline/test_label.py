"""Units become batches that depend on nothing but the unit; a batch is committed once."""

import multiprocessing
import os
import re
import time
from dataclasses import replace

import fsspec
import numpy as np
import psutil
import pytest
import soundfile
from fsspec.implementations.memory import MemoryFileSystem

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.manifests.plan import Unit
from curation.manifests.records import Recording, Source
from curation.manifests.staging import BatchName, committed
from curation.pipeline import label
from curation.pipeline.guard import lock
from curation.pipeline.guard.quarantine import Attempt, Crash
from curation.pipeline.guard.watchdog import Watchdog, private_bytes
from curation.pipeline.job import Job
from curation.pipeline.label import Batch, BatchLabeller, UnitDecoder
from curation.pipeline.runtime.local import LocalRuntime
from curation.stages.base import Stage
from tests.support.builds import table, toy_build, toy_config, write_recordings
from tests.support.faults.killing import Killed, KillingFileSystem
from tests.support.toy import toy_stages


@pytest.fixture(scope="module")
def unit(tmp_path_factory):
    """Recordings of 3, 4, 2 and 11 s; the last one is cut into three spans or more."""
    folder = tmp_path_factory.mktemp("in")
    generator = np.random.default_rng(0)
    sources = []
    for number, seconds in enumerate((3, 4, 2, 11)):
        wave = 0.3 * generator.standard_normal(seconds * SAMPLE_RATE)
        soundfile.write(folder / f"{number}.wav", wave, SAMPLE_RATE)
        sources.append(Source(f"r{number}", str(folder / f"{number}.wav")))
    return Unit(5, sources, batch_seconds=8)


@pytest.fixture
def job(tmp_path):
    return Job(toy_config(batch_seconds=8), str(tmp_path / "out"), "this-run", toy_stages)


def content(batch):
    return [(item.source.id, item.span, item.offset, item.num_samples, item.last) for item in batch.recordings]


def test_the_time_of_decoding_does_not_count_the_wait_while_a_batch_is_labelled(unit, job, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(label.time, "perf_counter", lambda: now[0])
    seconds = []
    for batch in UnitDecoder(job).batches(unit):
        seconds.append(batch.times.stages["decode"])
        now[0] += 100.0
    assert len(seconds) > 2
    assert set(seconds) == {0.0}


def test_batches_are_full_in_order_and_the_last_one_says_so(unit, job):
    batches = list(UnitDecoder(job).batches(unit))
    assert [str(batch.name) for batch in batches] == [
        f"00000005-{number:06d}" + ("-last" if number == len(batches) - 1 else "") for number in range(len(batches))
    ]
    seconds = [sum(item.num_samples for item in batch.recordings) / SAMPLE_RATE for batch in batches]
    assert sum(seconds) == 20
    assert max(seconds) <= 8
    first = [batch.recordings[0].num_samples / SAMPLE_RATE for batch in batches[1:]]
    assert all(full + following > 8 for full, following in zip(seconds, first, strict=False))
    spans = [span for batch in batches for span in content(batch)]
    assert spans == sorted(spans)
    assert [last for _, _, _, _, last in spans].count(True) == 4


def test_what_is_done_changes_no_other_batch(unit, job):
    every = {batch.name.batch: (batch.name, content(batch)) for batch in UnitDecoder(job).batches(unit)}
    for done in every:
        job.out.write_bytes(every[done][0].file, b"")
        rest = {batch.name.batch: (batch.name, content(batch)) for batch in UnitDecoder(job).batches(unit, done={done})}
        assert rest == {number: batch for number, batch in every.items() if number != done}


def test_the_last_batch_is_made_where_only_one_that_was_not_the_last_is_there(unit, job):
    """The file has changed, and is shorter than when the batch of that number was made."""
    *_, last = UnitDecoder(job).batches(unit)
    job.out.write_bytes(f"staging/00000005-{last.name.batch:06d}.parquet", b"")
    numbers = range(last.name.batch + 1)
    assert [batch.name for batch in UnitDecoder(job).batches(unit, done=numbers)] == [last.name]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, {(0,), (1, 2), (3,)}),
        (5.0, {(0,), (1,), (2,), (3,)}),
        (7.0, {(0, 1), (2,), (3,)}),
        (99.0, {(0, 1, 2, 3)}),
    ],
)
def test_a_batch_goes_through_the_stages_in_groups(job, monkeypatch, seconds, expected):
    """Of `engine.batch_seconds`, or of what is not too much for the memory of models: then a batch may be larger."""
    monkeypatch.setattr(label, "GROUP_SECONDS", 6.0)
    made = [Recording(Source(f"r{n}", "r.wav"), num_samples=s * SAMPLE_RATE) for n, s in enumerate((4, 3, 3, 5))]
    found = set()

    class Watching(Stage):
        name, batched = "watching", True

        def process(self, batch):
            found.add(tuple(int(item.source.id[1:]) for item in batch))

    config = job.config.model_copy(update={"engine": job.config.engine.model_copy(update={"batch_seconds": seconds})})
    labeller = BatchLabeller(replace(job, config=config, make_stages=lambda _: [Watching()]))
    labeller(Batch(BatchName(0, 0, last=True), made))
    assert found == expected


def test_a_batch_that_is_committed_is_not_labelled_again(unit, job):
    labeller = BatchLabeller(job)
    batch = next(UnitDecoder(job).batches(unit))
    done = labeller(batch)
    assert (done.name, done.recordings, done.failed, done.steps) == (batch.name, 2, 0, 0)
    assert done.audio_seconds == 7.0
    path = job.out.path(batch.name.file)
    again = next(UnitDecoder(job).batches(unit))
    again.recordings.clear()
    labeller(again)
    assert job.out.read_table(batch.name.file).num_rows == 2
    assert Storage(job.root).names("staging") == [path.rsplit("/", 1)[1]]


def test_the_local_runtime_labels_what_is_not_done(unit, job):
    runtime = LocalRuntime()
    first = [done.name for done in runtime.label(job, [unit], {})]
    assert first == committed(job.out)
    job.out.remove(first[1].file)
    others = {name.batch for name in first if name != first[1]}
    assert [done.name for done in runtime.label(job, [unit], {5: others})] == [first[1]]
    assert committed(job.out) == first


def test_killed_at_any_write_of_a_batch_the_next_run_labels_it(tmp_path, monkeypatch):
    """What a kill between the two files leaves is no part of the build, and is overwritten."""
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.0)
    recordings = write_recordings(tmp_path / "in", ["alpha", "beta", "gamma", "delta"])
    out, folders = Storage("killing:///labelled"), ("staging", "speech", "ledger", "shards")
    KillingFileSystem.arm(None)
    toy_build(recordings, out.root)
    expected = {folder: table(out.root, folder) for folder in folders}
    names = [str(name) for name in committed(out)]
    fatal = [number for number, path in enumerate(KillingFileSystem.steps) if path.split("/")[-2] in folders[:2]]
    assert len(fatal) == 2 * len(names) >= 6
    for step in fatal:
        KillingFileSystem.store.clear()
        KillingFileSystem.arm(step)
        with pytest.raises(Killed):
            toy_build(recordings, out.root)
        KillingFileSystem.arm(None)
        speech, staging = ({name.removesuffix(".parquet") for name in out.names(name)} for name in folders[1::-1])
        assert staging == set(names[: len(staging)])
        assert staging <= speech
        for orphan in speech - staging:
            out.write_bytes(f"speech/{orphan}.parquet", b"of a run that was killed")
        toy_build(recordings, out.root, force_unlock=True)
        assert all(table(out.root, folder).equals(rows) for folder, rows in expected.items())
        assert out.names("speech") == out.names("staging")


class Listening(Stage):
    """Notes which audio of the whole span is there."""

    def __init__(self, name, *, hears_spans=False):
        self.name, self.hears_spans = name, hears_spans
        self.heard = []

    def process(self, batch):
        self.heard += [(item.audio is not None, item.original is not None, item.denoised is not None) for item in batch]
        for recording in batch:
            recording.denoised = recording.audio


def test_the_audio_of_a_span_is_there_up_to_the_last_stage_that_hears_it(unit, job):
    stages = [Listening("one"), Listening("two", hears_spans=True), Listening("three")]
    last = Listening("four", hears_spans=True)
    for behind, there in (
        (stages, [(1, 1, 0), (1, 1, 1), (0, 0, 0)]),
        ([*stages, last], [(1, 1, 0), *[(1, 1, 1)] * 3]),
    ):
        for stage in behind:
            stage.heard.clear()
        own = replace(job, root=f"{job.root}-{len(behind)}", make_stages=lambda _, behind=behind: [*behind])
        BatchLabeller(own)(next(UnitDecoder(own).batches(unit)))
        assert [set(stage.heard) for stage in behind] == [{item} for item in there]


class Treacherous(Stage):
    """Ends its process at one recording, or never ends."""

    name = "treacherous"

    def __init__(self, how):
        self._how = how

    def process(self, batch):
        if any(recording.source.id == "r1" for recording in batch):
            self._how()


@pytest.mark.parametrize(
    ("how", "reason"),
    [(lambda: os._exit(1), "worker process died .* in stage treacherous"), (lambda: time.sleep(60), "timeout_seconds")],
    ids=["dies", "hangs"],
)
def test_the_next_attempt_knows_the_recording_at_which_a_careful_worker_died(unit, job, how, reason):
    job = replace(job, make_stages=lambda config: [*toy_stages(config), Treacherous(how)])
    batch = next(iter(UnitDecoder(job).batches(unit)))
    attempt = Attempt(job.out, "label-0", deaths=1)

    def work():
        BatchLabeller(job, Watchdog(timeout_seconds=0.3, max_gib=1000))(batch, attempt=attempt)

    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join(60)
    assert worker.exitcode not in {0, None}
    (name, crash), *others = attempt.after_death().victims.items()
    assert (name, others) == ("r1#0", [])
    assert re.search(reason, crash.detail)


class Hoarder(Stage):
    """Takes much memory in small blocks, and frees all of it but the last block."""

    name = "hoarder"

    def process(self, batch):
        self.last = [np.ones(2**13) for _ in range(1000 * len(batch))][-1]


def test_what_a_long_stage_has_freed_is_given_back(unit, job, monkeypatch):
    """glibc would keep it, and other processes of the machine lack it while the next stages run."""
    monkeypatch.setattr(label, "LONG_SECONDS", 0.0)
    job = replace(job, make_stages=lambda config: [*toy_stages(config), Hoarder()])
    batch = next(iter(UnitDecoder(job).batches(unit)))
    labeller = BatchLabeller(job)
    labeller.setup()
    before = private_bytes(psutil.Process())
    labeller(batch)
    assert private_bytes(psutil.Process()) - before < 30 * 2**20


class Hanging(MemoryFileSystem):
    """A store that does not answer whoever opens a file."""

    protocol = "hanging"

    def _open(self, *_args, **_options):
        time.sleep(60)


def test_a_recording_that_killed_a_decoder_and_hangs_now_is_ended_and_blamed(unit, job):
    """What came before its first crash is decoded under the limits, and with a note, like everything else."""
    fsspec.register_implementation("hanging", Hanging, clobber=True)
    hangs = Unit(6, [unit.sources[0], Source("r1", "hanging://host/a.wav")])
    attempt = Attempt(job.out, "decode-6", deaths=2, victims={"r1": Crash("it died", spans=1)})

    def work():
        list(UnitDecoder(job, Watchdog(timeout_seconds=0.5, max_gib=1000)).batches(hangs, attempt=attempt))

    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join(20)
    worker.kill()
    crash = attempt.after_death().victims["r1"]
    assert "timeout_seconds" in crash.detail
    assert crash.spans == 0
