"""Records of runs: read back as they were written, oldest first."""

from curation.core.storage import Storage
from curation.manifests.runs import PoolTimes, RunRecord, read_runs, write_run


def test_runs_are_read_back_oldest_first(tmp_path):
    out = Storage(str(tmp_path))
    first = RunRecord(100.0, 2.0, 130.0, "label", {"label": 30.0})
    second = RunRecord(200.0, 4.0, 260.0, "", {"label": 20.0, "publish": 40.0}, {"tokenize.codec": 12.5})
    second.pools = {"decode": PoolTimes(2, 1.5, 3.0, 0.25)}
    write_run(out, "a", second)
    write_run(out, "b", first)
    assert read_runs(out) == [first, second]


def test_the_latest_record_of_a_run_counts(tmp_path):
    out = Storage(str(tmp_path))
    for seconds in (1.0, 2.0):
        write_run(out, "a", RunRecord(100.0, 2.0, 100.0 + seconds, "label", {"label": seconds}))
    assert [run.pass_seconds for run in read_runs(out)] == [{"label": 2.0}]
    assert out.read_json("runs/a.json").items() >= {"pass": "label", "cpus": 2.0}.items()


def test_a_build_that_was_never_started_has_none(tmp_path):
    assert read_runs(Storage(str(tmp_path))) == []
