"""Two builds never write into one folder; a lock that a kill left behind stops nobody."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from curation.core.errors import ConfigError, LockError
from curation.core.storage import Storage
from curation.pipeline.guard import lock as locking
from curation.pipeline.guard.lock import FILE, held, read_holder
from tests.support.builds import toy_build, write_recordings

ROOT = Path(__file__).parents[4]
HOLD = """
import sys, time
from curation.pipeline.guard.lock import held
from curation.core.storage import Storage
with held(Storage(sys.argv[1]), "other"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["local", "memory", "s3"])
def out(request, tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "SETTLE_SECONDS", 0.01)
    if request.param == "s3":
        return Storage(request.getfixturevalue("s3_bucket") + "/out")
    return Storage(str(tmp_path / "new/out") if request.param == "local" else f"memory://{tmp_path.name}")


@pytest.fixture
def remote(s3_bucket):
    return Storage(f"{s3_bucket}/out")


@pytest.fixture
def other(tmp_path):
    """A process that holds the lock of tmp_path/out."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def left_behind(out, **changes):
    """A lock as a build on another machine left it."""
    values = {"run": "old", "host": "elsewhere", "machine": "another", "pid": 7, "pid_started": 0.0}
    out.write_json(FILE, {**values, "updated": time.time(), **changes})


def test_held_once_and_free_afterwards(out):
    with held(out, "mine"):
        assert read_holder(out).pid == os.getpid()
        assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() in read_holder(out).machine
        with pytest.raises(LockError, match=rf"process {os.getpid()} on .*--wait.*--force-unlock"), held(out, "second"):
            pass
        assert read_holder(out).run == "mine"
    assert read_holder(out) is None
    with held(out, "third"):
        pass


def test_free_after_an_error(out):
    with pytest.raises(ZeroDivisionError), held(out, "mine"):
        raise ZeroDivisionError
    assert read_holder(out) is None


def test_a_killed_process_holds_nothing(other, tmp_path, monkeypatch):
    out = Storage(str(tmp_path / "out"))
    with pytest.raises(LockError, match=f"process {other.pid}"), held(out, "mine"):
        pass
    other.kill()
    other.wait()
    assert read_holder(out).run == "other"
    monkeypatch.setattr(locking, "WATCH_SECONDS", float("inf"))  # for as long would a holder elsewhere be watched
    with held(out, "mine"):
        assert read_holder(out).run == "mine"


@pytest.mark.parametrize(("pid", "shift", "gone"), [(2**22 + 1, 0, True), (None, 0, False), (None, -100, True)])
def test_processes_are_identified_by_their_start(out, pid, shift, gone):
    with held(out, "mine"):
        mine = read_holder(out)
    left_behind(out, machine=mine.machine, pid=pid or mine.pid, pid_started=mine.pid_started + shift)
    assert read_holder(out).is_gone == gone


def test_a_fresh_lock_from_another_machine_is_respected(out):
    left_behind(out)
    with pytest.raises(LockError, match="process 7 on elsewhere"), held(out, "mine"):
        pass
    assert read_holder(out).run == "old"


def test_an_old_lock_from_another_machine_is_taken_after_watching(out, monkeypatch):
    monkeypatch.setattr(locking, "WATCH_SECONDS", 0.6)
    left_behind(out, updated=time.time() - 100)
    with held(out, "mine"):
        assert read_holder(out).run == "mine"


def test_a_holder_with_a_wrong_clock_is_respected(out, monkeypatch):
    monkeypatch.setattr(locking, "WATCH_SECONDS", 3.0)
    left_behind(out, updated=time.time() - 100)
    thread = threading.Timer(0.3, left_behind, [out], {"updated": time.time() - 95})
    thread.start()
    with pytest.raises(LockError, match="elsewhere"), held(out, "mine"):
        pass
    thread.join()


def test_waiting_for_it(out):
    left_behind(out)
    timer = threading.Timer(0.5, out.remove, [FILE])
    timer.start()
    with held(out, "mine", wait_seconds=20):
        assert read_holder(out).run == "mine"
    timer.join()


def test_taken_by_force_the_first_one_notices(out, monkeypatch):
    monkeypatch.setattr(locking, "HEARTBEAT_SECONDS", 0.05)
    with held(out, "first") as first:
        first.check()
        with held(out, "second", force=True):
            time.sleep(0.3)
            with pytest.raises(LockError, match="taken over"):
                first.check()
            assert read_holder(out).run == "second"


def test_signs_of_life(out, monkeypatch):
    monkeypatch.setattr(locking, "HEARTBEAT_SECONDS", 0.05)
    with held(out, "mine"):
        before = read_holder(out).updated
        time.sleep(0.3)
        assert read_holder(out).updated > before


def test_a_build_is_refused_and_changes_nothing(other, tmp_path):
    source = write_recordings(tmp_path / "in", ["alpha"])
    with pytest.raises(LockError, match=f"process {other.pid}"):
        toy_build(source, tmp_path / "out")
    assert json.loads((tmp_path / "out" / FILE).read_text())["run"] == "other"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [FILE]
    toy_build(source, tmp_path / "out", force_unlock=True)
    assert (tmp_path / "out/shards/_index.json").exists()
    assert not (tmp_path / "out" / FILE).exists()


def test_a_build_that_was_taken_over_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "HEARTBEAT_SECONDS", 0.02)
    source = write_recordings(tmp_path / "in", [f"r{number}" for number in range(6)])
    out = Storage(str(tmp_path / "out"))

    def taken(progress):
        if progress.step == "label" and progress.audio_seconds:
            for _ in range(8):  # a heartbeat that began before may write over it
                left_behind(out)
                time.sleep(0.1)

    with pytest.raises(LockError, match="taken over by process 7 on elsewhere"):
        toy_build(source, tmp_path / "out", on_progress=taken)
    assert read_holder(out).run == "old"


def holders(out, runs, hold=0.3, tries=1):
    """Build at once under these names; returns how long each had the lock, and its token."""
    had = []

    def build(run):
        for _ in range(tries):
            try:
                with held(out, run) as lock:
                    start = time.monotonic()
                    time.sleep(hold)
                    had.append((start, time.monotonic(), lock.me.token))
            except LockError:
                time.sleep(random.uniform(0, 2 * hold))  # noqa: S311 - no secret

    threads = [threading.Thread(target=build, args=[run]) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(had)


def exclusive(had):
    return all(one[1] <= other[0] and one[2] < other[2] for one, other in pairwise(had))


def test_a_put_that_is_late_lets_no_second_build_in(remote, s3, monkeypatch):
    monkeypatch.setattr(locking, "SETTLE_SECONDS", 0.1)
    late = iter([0.5])  # as long as five times the settling: 1.5 s of 1 s let two in
    s3.fault = lambda request: next(late, None) if (request.method, request.path[-9:]) == ("PUT", FILE) else None
    had = holders(remote, ["late", "other"], hold=1.0)
    assert exclusive(had)
    assert len(had) == 1


def test_late_requests_let_no_two_builds_in(remote, s3, monkeypatch):
    monkeypatch.setattr(locking, "HEARTBEAT_SECONDS", 0.05)
    chance = random.Random(3)  # noqa: S311 - no secret
    s3.fault = lambda _: chance.choice([None, 0.01, 0.03, 0.1])
    had = holders(remote, ["a", "b", "c"], hold=0.05, tries=4)
    assert exclusive(had)
    assert len(had) >= 3


def test_a_heartbeat_that_is_late_takes_nothing_back(remote, s3):
    with held(remote, "first") as first:
        s3.fault = lambda request: 0.4 if request.method == "PUT" else None
        thread = threading.Thread(target=first.beat)
        thread.start()
        time.sleep(0.1)
        s3.fault = lambda _: None
        with held(remote, "second", force=True):
            thread.join()
            assert read_holder(remote).run == "second"
            with pytest.raises(LockError, match="taken over by process"):
                first.fence()
    assert read_holder(remote) is None


def test_a_build_that_slept_asks_before_its_next_step(remote, monkeypatch):
    monkeypatch.setattr(locking, "HEARTBEAT_SECONDS", 600.0)  # asleep: its heartbeats too
    with held(remote, "first") as first, held(remote, "second", force=True):
        first.check()  # nothing tells it
        with pytest.raises(LockError, match="taken over"):
            first.fence()
    with held(remote, "third") as third, held(remote, "fourth", force=True):
        monkeypatch.setattr(locking, "HEARTBEAT_SECONDS", 0.0)  # that was long ago
        with pytest.raises(LockError, match="taken over"):
            third.check()


def test_an_answer_that_is_lost_is_no_loss_of_the_lock(remote, s3, monkeypatch):
    with held(remote, "mine") as lock:
        lost = iter(["unanswered"])
        s3.fault = lambda request: next(lost, None) if request.method == "PUT" else None
        lock.fence()
        lock.fence()
    assert read_holder(remote) is None


def test_a_store_that_ignores_conditions_is_named(remote, s3, monkeypatch, caplog):
    monkeypatch.setattr(locking, "SETTLE_SECONDS", 0.0)
    s3.fault = lambda _: "unconditional"
    with held(remote, "mine") as lock:
        assert f"nothing makes the lock of {remote.root} exact" in caplog.text
        left_behind(remote)
        with pytest.raises(LockError, match="taken over by process 7"):
            lock.fence()


def test_an_output_where_half_a_file_can_be_seen_is_refused():
    with pytest.raises(ConfigError, match=r"^hdfs://host/x: a build cannot be written over hdfs://.*s3://"):
        held(Storage("hdfs://host/x"), "mine").__enter__()
