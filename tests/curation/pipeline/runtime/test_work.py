"""What a worker process keeps, and what it frees for the next step of a build."""

import pickle
import weakref

from curation.core.errors import ModelError
from curation.manifests.plan import Unit
from curation.manifests.records import Source
from curation.pipeline.guard.quarantine import Attempt
from curation.pipeline.job import Job
from curation.pipeline.label import BatchLabeller, UnitDecoder
from curation.pipeline.runtime.work import Process, Reply, Whole
from tests.support.builds import toy_config, write_recordings
from tests.support.toy import toy_stages

HELD = []


class Model:
    """Refers to itself, as modules of torch do."""

    def __init__(self):
        self.me = self
        HELD.append(weakref.ref(self))

    def __call__(self, number):
        return Reply(number + 1)


def lacking():
    msg = "no model"
    raise ModelError(msg)


def test_a_process_frees_its_worker_before_the_next_step(monkeypatch):
    given = []
    monkeypatch.setattr("curation.pipeline.runtime.work.give_back_memory", lambda: given.append(HELD[-1]()))
    process = Process()
    assert process.load(pickle.dumps(Model)) is None
    assert process.call(2)[0].result == 3
    assert HELD[-1]() is not None
    process.clear()
    assert given == [None]
    assert process.load(pickle.dumps(Model)) is None
    assert process.call(4)[0].result == 5


def test_a_user_error_at_the_start_is_a_result():
    assert str(Process().load(pickle.dumps(lacking))) == "no model"


def test_a_worker_that_is_given_a_batch_keeps_none_that_it_decoded(tmp_path, monkeypatch):
    sources = [Source(path.stem, str(path)) for path in sorted(write_recordings(tmp_path / "in", ["a", "b"]).iterdir())]
    mine, other = (Unit(number, [source], batch_seconds=6) for number, source in enumerate(sources))
    job = Job(toy_config(), str(tmp_path / "out"), "this-run", toy_stages)
    call, waves, kept = BatchLabeller.__call__, [], []

    def watched(self, batch, *heard, attempt=None):
        kept.append([wave() is not None for wave in waves])
        found = call(self, batch, *heard, attempt=attempt)
        waves.append(weakref.ref(batch.recordings[0].segments[0].audio))
        return found

    monkeypatch.setattr(BatchLabeller, "__call__", watched)
    worker = Whole(job)
    worker(Attempt(), 0, mine, [])
    (batch,) = UnitDecoder(job).batches(other)
    assert worker(Attempt(), batch).result.name.unit == 1
    assert kept == [[], [False]]
    assert worker(Attempt(), 0, mine, [0]).result is None
