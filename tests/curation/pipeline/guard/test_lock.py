"""Two builds never write into one folder; a lock that a kill left behind stops nobody."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from curation.core.errors import LockError
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


@pytest.fixture(params=["local", "object store"])
def out(request, tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "SETTLE_SECONDS", 0.01)
    return Storage(str(tmp_path / "new/out") if request.param == "local" else f"memory://{tmp_path.name}")


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
            left_behind(out)
            time.sleep(0.3)

    with pytest.raises(LockError, match="taken over by process 7 on elsewhere"):
        toy_build(source, tmp_path / "out", on_progress=taken)
    assert read_holder(out).run == "old"
