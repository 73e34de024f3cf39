"""Training that is killed or told to end resumes with the same bits; two processes are as good as one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from curation.models.torch_compat import import_torchaudio
from curation.train.checkpoint import places
from curation.train.loop.metrics import read_metrics
from curation.train.loop.stopping import EXIT_CODE
from tests.support.runs import train_toy
from tests.train.test_run import FEW, shards, train

RUNS = "tests.support.runs"
STEADY = ("optimizer.final_fraction=1", "run.validation_steps=4")
"""A rate that does not depend on `run.steps`."""
ROOT = Path(__file__).parents[2]


def start(log, *arguments, launcher=(RUNS,)):
    command = [sys.executable, "-m", *launcher, *map(str, arguments)]
    with log.open("w") as output:
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ})


def start_two(log, *plan):
    return start(log, *plan, launcher=("torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", RUNS))


def losses(run):
    return {line["step"]: line["loss"] for line in read_metrics(run)}


def wait_for_step(process, log, run, step):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        found = losses(run)
        if found and max(found) >= step:
            return found
        time.sleep(0.01)
    pytest.fail(f"the run ended too early:\n{log.read_text()}")


@pytest.mark.slow  # those that share a model go on below
def test_killed_and_resumed_gives_identical_losses(tmp_path):
    settings = ["run.steps=30", "run.save_steps=5", "run.keep_last=3"]
    killed, log = tmp_path / "killed", tmp_path / "log"
    process = start(log, killed, *settings)
    before = wait_for_step(process, log, killed, 13)
    process.send_signal(signal.SIGKILL)
    process.wait()
    last = int(places.latest(killed).name.removeprefix("step-"))
    train_toy(killed, *settings)
    train_toy(tmp_path / "whole", *settings)
    assert losses(killed) == losses(tmp_path / "whole")
    assert before.items() <= losses(tmp_path / "whole").items()
    assert 10 <= last < 30


@pytest.mark.slow  # a signal to one of two processes comes below
@pytest.mark.parametrize("who", ["the process", "all of its processes"])
def test_told_to_end_a_run_saves_the_step_at_work_and_goes_on_with_identical_losses(tmp_path, who):
    """The command itself, with a period of checkpoints that would have saved nothing. Schedulers tell all processes,
    those that make rows too.
    """
    corpus, run, log = shards(tmp_path / "build"), tmp_path / "run", tmp_path / "log"
    workers = f"run.data_workers={int(who != 'the process')}"
    settings = (*FEW, "run.save_steps=5000", workers, *STEADY)
    given = [part for setting in (*settings, "run.steps=5000") for part in ("--set", setting)]
    process = start(log, "train", corpus, "-o", run, *given, launcher=("curation",))
    seen = max(wait_for_step(process, log, run, 3))
    for one in [process] if workers.endswith("0") else [*psutil.Process(process.pid).children(recursive=True), process]:
        one.send_signal(signal.SIGTERM)
    assert process.wait(60) == EXIT_CODE == 143, log.read_text()
    last = max(losses(run))
    assert seen <= last < 5000
    assert places.latest(run).name == f"step-{last:08d}"
    assert "told to end (SIGTERM) and is saved: the same command goes on" in " ".join(log.read_text().split())
    train(corpus, run, f"run.steps={last + 2}")
    train(corpus, tmp_path / "whole", *settings, f"run.steps={last + 2}")
    assert losses(run) == losses(tmp_path / "whole")


@pytest.mark.slow
def test_two_copies_are_one_process_with_twice_the_accumulation(tmp_path):
    two, one, log = tmp_path / "two", tmp_path / "one", tmp_path / "log"
    process = start_two(log, two, "run.steps=4", "run.save_steps=2", "run.parallel=ddp", *STEADY)
    assert process.wait(240) == 0, log.read_text()
    assert_alike(two, one)


def assert_alike(two, one):
    """A run of two processes, gone on with by one, and one with twice the accumulation."""
    trained = train_toy(one, "run.steps=4", "run.accumulation=2", *STEADY)
    assert read_metrics(two)[3]["tokens"] == trained.tokens
    for run in (one, two):
        train_toy(run, "run.steps=8", "run.accumulation=2", *STEADY)
    ours, theirs = read_metrics(two), read_metrics(one)
    assert list(losses(two).values()) == pytest.approx(list(losses(one).values()), rel=1e-5)
    for step in (3, 7):
        assert ours[step]["validation"] == pytest.approx(theirs[step]["validation"], rel=1e-5)


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    """Runs of two processes that share a model (FSDP2), all of one start; the last is told to end by a signal to one
    of the two, and `before` is a step that it had made before.
    """
    root = tmp_path_factory.mktemp("spread")
    two = [*STEADY, "run.parallel=fsdp2", "run.save_steps=2", "run.keep_last=9"]
    runs = [
        [root / "whole", *two, "run.steps=8"],
        [root / "parts", *two, "run.steps=2"],
        [root / "parts", *two, "run.steps=4"],
        ["alone", root / "parts", *STEADY, "run.steps=6", "run.accumulation=2", "run.keep_last=9"],
        [root / "parts", *two, "run.steps=8"],
        [root / "half", *two, "run.steps=4", "run.precision=bfloat16"],
        [root / "told", "run.parallel=fsdp2", "run.steps=100000", "run.save_steps=100000"],
    ]
    log = root / "log"
    plan = [part for run in runs for part in ("--", *run)]
    process = start_two(log, *plan[1:])
    (root / "before").write_text(str(max(wait_for_step(process, log, root / "told", 3))))
    (second,) = (one for one in psutil.Process(process.pid).children() if one.environ().get("RANK") == "1")
    second.send_signal(signal.SIGTERM)
    process.wait(60)
    return root


def test_processes_that_share_a_model_write_their_own_rows(spread):
    folder, name = spread / "whole/checkpoints/step-00000008", "model.embed_tokens.weight"
    first, second = (load_file(part)[f"exp_avg/{name}"] for part in sorted((folder / "optimizer").iterdir()))
    rows = len(load_file(folder / "model.safetensors")[name])
    assert {len(first), len(second)} == {rows // 2, rows - rows // 2}
    assert not list((spread / "whole/checkpoints").rglob("*.parts"))
    import_torchaudio()  # before transformers, as everywhere
    from transformers import AutoModelForCausalLM

    _, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]


def test_they_go_on_bit_for_bit_and_in_another_number_nearly(spread, tmp_path):
    whole, parts = losses(spread / "whole"), losses(spread / "parts")
    assert [parts[step] for step in (1, 2, 3, 4)] == [whole[step] for step in (1, 2, 3, 4)]
    assert list(parts.values()) == pytest.approx(list(whole.values()), rel=1e-5)  # 2, then 1, then 2 processes
    shutil.copytree(spread / "whole", tmp_path / "two", dirs_exist_ok=True)
    for step in (6, 8):
        shutil.rmtree(tmp_path / f"two/checkpoints/step-{step:08d}")
    assert_alike(tmp_path / "two", tmp_path / "one")


def test_in_bfloat16_they_are_near(spread, tmp_path):
    train_toy(tmp_path, "run.steps=4", "run.accumulation=2", "run.precision=bfloat16", *STEADY)
    assert losses(spread / "half")[4] != losses(spread / "whole")[4]
    assert list(losses(spread / "half").values()) == pytest.approx(list(losses(tmp_path).values()), rel=0.01)


def test_a_signal_to_one_of_them_ends_both_after_the_same_step(spread):
    last = max(losses(spread / "told"))
    assert int((spread / "before").read_text()) <= last < 100000
    assert places.latest(spread / "told").name == f"step-{last:08d}"
    assert f"exitcode  : {EXIT_CODE}" in (spread / "log").read_text()
