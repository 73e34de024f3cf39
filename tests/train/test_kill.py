"""Training that is killed at any moment resumes with the same bits; two processes are as good as one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curation.train.checkpoint import training as checkpoint
from curation.train.loop.metrics import read_metrics
from tests.support.runs import train_toy

ROOT = Path(__file__).parents[2]


def start(run, *settings, launcher=(sys.executable, "-m")):
    command = [*launcher, "tests.support.runs", str(run), *settings]
    with (run.parent / f"{run.name}.txt").open("w") as output:
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ})


def losses(run):
    return {line["step"]: line["loss"] for line in read_metrics(run)}


def test_killed_and_resumed_gives_identical_losses(tmp_path):
    settings = ["run.steps=30", "run.save_steps=5", "run.keep_last=3"]
    killed = tmp_path / "killed"
    process = start(killed, *settings)
    before = wait_for_step(process, killed, 13)
    process.send_signal(signal.SIGKILL)
    process.wait()
    last = int(checkpoint.latest(killed).name.removeprefix("step-"))
    train_toy(killed, *settings)
    train_toy(tmp_path / "whole", *settings)
    assert losses(killed) == losses(tmp_path / "whole")
    assert before.items() <= losses(tmp_path / "whole").items()
    assert 10 <= last < 30


def wait_for_step(process, run, step):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        found = losses(run)
        if found and max(found) >= step:
            return found
        time.sleep(0.01)
    pytest.fail(f"the run ended too early:\n{(run.parent / 'killed.txt').read_text()}")


@pytest.mark.parametrize("kind", [pytest.param("ddp", marks=pytest.mark.slow), "fsdp2"])
def test_two_processes_are_one_with_twice_the_accumulation(tmp_path, kind):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    two = tmp_path / "two"
    process = start(two, "run.steps=4", "run.save_steps=2", f"run.parallel={kind}", launcher=launcher)
    assert process.wait(240) == 0, (tmp_path / "two.txt").read_text()
    one = train_toy(tmp_path / "one", "run.steps=4", "run.accumulation=2")
    assert list(losses(two).values()) == pytest.approx(list(losses(tmp_path / "one").values()), rel=1e-5)
    assert read_metrics(two)[3]["validation"] == pytest.approx(
        read_metrics(tmp_path / "one")[3]["validation"], rel=1e-5
    )
    # The checkpoint of two processes is resumed in one, whatever they were.
    train_toy(two, "run.steps=6", "run.accumulation=2")
    train_toy(tmp_path / "one", "run.steps=6", "run.accumulation=2")
    assert one.tokens == read_metrics(two)[3]["tokens"]
    assert list(losses(two).values()) == pytest.approx(list(losses(tmp_path / "one").values()), rel=1e-5)
