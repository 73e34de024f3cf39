"""The journal of a run: seconds of each pass, up to the last heartbeat of a run that was killed."""

import time

import pytest

from curation.core.storage import Storage
from curation.manifests.runs import PoolTimes, read_runs
from curation.pipeline.journal import Journal


@pytest.fixture
def clock(monkeypatch):
    """A list with the time, which the test changes."""
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_each_pass_counts_until_the_next_one_starts(tmp_path, clock):
    journal = Journal.begin(Storage(str(tmp_path)), "a", 2.0)
    clock[0] += 3  # before the first pass
    for name, seconds in (("label", 20), ("publish", 2), ("", 50)):
        journal.enter(name)
        assert read_runs(Storage(str(tmp_path)))[0].current_pass == name  # at once, however short a pass is
        clock[0] += seconds
    (record,) = read_runs(Storage(str(tmp_path)))
    assert record.pass_seconds == {"label": 20, "publish": 2}
    assert (record.started, record.updated, record.current_pass, record.cpus) == (1000, 1025, "", 2.0)


def test_a_killed_run_counts_up_to_its_last_heartbeat(tmp_path, clock):
    out = Storage(str(tmp_path))
    journal = Journal.begin(out, "a", 1.0)
    journal.enter("label")
    written = []
    for _ in range(12):
        clock[0] += 1
        journal.beat()
        written.append(read_runs(out)[0].pass_seconds.get("label", 0))
    assert written[-1] >= 10
    assert len(set(written)) == 3  # not at every step, but every few seconds
    assert read_runs(out)[0].updated == 1000 + written[-1]


def test_seconds_inside_models_add_up(tmp_path, clock):
    journal = Journal.begin(Storage(str(tmp_path)), "a", 1.0)
    journal.add_models({"glm": 1.5})
    journal.add_models({"glm": 0.5, "bicodec": 2.0})
    journal.enter("")
    assert read_runs(Storage(str(tmp_path)))[0].publish_model_seconds == {"glm": 2.0, "bicodec": 2.0}


def test_runs_are_listed_by_their_start(tmp_path, clock):
    out = Storage(str(tmp_path))
    for name in ("z", "m", "a"):
        Journal.begin(out, name, 1.0).enter("label")
        clock[0] += 60
    assert [record.started for record in read_runs(out)] == [1000, 1060, 1120]


def test_the_times_of_the_pools_are_in_the_record(tmp_path):
    times = {"label": PoolTimes(2, 3.0, 1.0, 0.0)}
    journal = Journal.begin(Storage(str(tmp_path)), "a", 1.0, lambda: times)
    journal.enter("label")
    times["label"] = PoolTimes(3, 9.0, 1.0, 0.0)
    journal.enter("")
    assert read_runs(Storage(str(tmp_path)))[0].pools == {"label": PoolTimes(3, 9.0, 1.0, 0.0)}
