"""Between tasks: progress adds up, a warning is logged once, a lost lock ends the run. Journal and job with it."""

import pytest

from curation.core.errors import LockError
from curation.core.storage import Storage
from curation.manifests.runs import read_runs
from curation.manifests.staging import BatchName
from curation.pipeline.guard.lock import held
from curation.pipeline.job import BatchLabelled, Progress
from curation.pipeline.journal import Journal
from curation.pipeline.monitor import Monitor


@pytest.fixture
def monitored(tmp_path):
    """A monitor and the progress that it has reported."""
    out, seen = Storage(str(tmp_path)), []
    with held(out, "mine") as lock:
        yield Monitor(lock, Journal.begin(out, "mine", 2.0), seen.append), seen


def batch(number, seconds, *, last=False, warning=""):
    name = BatchName(0, number, last)
    return BatchLabelled(name=name, recordings=1, steps=int(last), audio_seconds=seconds, warning=warning)


def test_progress_starts_at_nothing_and_adds_up(monitored):
    monitor, seen = monitored
    done = [batch(0, 4.0), batch(1, 2.0, last=True)]
    assert list(monitor.follow("label", 1, iter(done))) == done
    assert seen == [Progress("label", 0, 1), Progress("label", 0, 1, 4.0), Progress("label", 1, 1, 6.0)]


def test_the_same_warning_is_logged_once(monitored, caplog):
    monitor, _ = monitored
    done = [batch(0, 1.0, warning="no GPU"), batch(1, 1.0, warning="no GPU"), batch(2, 1.0, warning="no disk")]
    list(monitor.follow("label", 3, done))
    assert [record.getMessage() for record in caplog.records] == ["label: no GPU", "label: no disk"]


def test_a_lock_that_was_taken_ends_the_run_before_its_next_result(monitored, tmp_path):
    monitor, seen = monitored
    results = monitor.follow("label", 2, [batch(0, 1.0), batch(1, 1.0)])
    next(results)
    with held(Storage(str(tmp_path)), "other", force=True):
        monitor.lock.beat()
        with pytest.raises(LockError, match="taken over"):
            next(results)
    assert seen[-1].audio_seconds == 1.0


def test_the_journal_counts_each_pass_and_the_models(monitored, tmp_path):
    journal = monitored[0].journal
    for name in ("label", "publish"):
        journal.enter(name)
        (record,) = read_runs(Storage(str(tmp_path)))
        assert record.current_pass == name
    journal.add_models({"tokenize.codec": 1.0})
    journal.add_models({"tokenize.codec": 0.5, "tokenize.content": 2.0})
    journal.enter("")
    (record,) = read_runs(Storage(str(tmp_path)))
    assert (record.current_pass, set(record.pass_seconds), record.cpus) == ("", {"label", "publish"}, 2.0)
    assert record.publish_model_seconds == {"tokenize.codec": 1.5, "tokenize.content": 2.0}
