"""A process that exceeds a limit of the watchdog ends with its exit code, and gives the reason first."""

import subprocess
import sys
import threading

import pytest

from curation.pipeline.guard import watchdog
from curation.pipeline.guard.watchdog import EXIT_CODE, Watchdog

START = """
import time
from curation.pipeline.guard.watchdog import POLL_SECONDS, Watchdog
watchdog = Watchdog(timeout_seconds={timeout}, max_gib={gib})
"""
TASK = """
with watchdog.limit("the task", lambda reason: print(reason, flush=True)):
    time.sleep({seconds})
"""
LARGE = """
data = b"x" * 2**29
time.sleep(5 * POLL_SECONDS)
print("done", watchdog.peak_bytes > 2**29)
"""


def run(program, **values):
    """Exit code and standard output."""
    command = [sys.executable, "-c", program.format(**values)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("timeout", "gib", "reason"),
    [
        (0.2, 1000, "the task did not finish within engine.timeout_seconds = 0.2\n"),
        (1000, 0.001, "the task used 0.0 GiB, over engine.max_worker_gib = 0.001\n"),
    ],
)
def test_a_process_over_a_limit_ends_with_the_reason(timeout, gib, reason):
    assert run(START + TASK, timeout=timeout, gib=gib, seconds=60) == (EXIT_CODE, reason)


MOVING = """
begun = [0.0]
with watchdog.limit("the task", lambda reason: print(reason, flush=True), lambda: begun[0]):
    for _ in range(6):
        time.sleep(0.2)
        begun[0] = time.monotonic()
    print("moved", flush=True)
    time.sleep(60)
"""


def test_the_clock_starts_anew_where_the_task_says_that_it_goes_on():
    code, said = run(START + MOVING, timeout=0.8, gib=1000)
    assert (code, said) == (EXIT_CODE, "moved\nthe task did not finish within engine.timeout_seconds = 0.8\n")


def test_the_process_ends_even_if_the_reason_cannot_be_given():
    program = (START + TASK).replace("print(reason, flush=True)", "1 / 0")
    assert run(program, timeout=0.2, gib=1000, seconds=60) == (EXIT_CODE, "")


@pytest.mark.parametrize("program", [START + LARGE, START + TASK + LARGE], ids=["without a task", "after a task"])
def test_limits_apply_to_tasks_alone(program):
    assert run(program, timeout=1000, gib=0.4, seconds=0) == (0, "done True\n")


def test_a_watchdog_ends_with_its_worker(monkeypatch):
    """A process that goes on in the next step has one for each, and would watch for all of them."""
    monkeypatch.setattr(watchdog, "POLL_SECONDS", 0.01)
    before = {*threading.enumerate()}
    watching = Watchdog(60, 4)
    (own,) = {*threading.enumerate()} - before
    own.join(0.1)
    assert own.is_alive()
    del watching
    own.join(10)
    assert not own.is_alive()
