"""`curation train`: usage and errors; runs from shards to a checkpoint are tested in tests/train/test_run.py."""

import pytest

from curation.train.loop.metrics import read_metrics
from tests.support.commands import curation, message
from tests.train.test_run import FEW, shards

SETTINGS = [part for setting in FEW for part in ("--set", setting)]


def test_what_was_trained_is_said_at_the_end(tmp_path):
    corpus, run = shards(tmp_path / "build"), tmp_path / "run"
    done = curation("train", corpus, "-o", run, *SETTINGS, "-s", "run.steps=2", "-s", "data.max_sample_tokens=40")
    told = message(done)
    assert "training" in told
    assert f"step 2: {run}" in told
    assert "samples were longer than data.token_budget or data.max_sample_tokens" in told
    assert f"tensorboard --logdir {run}" in told
    assert done.stdout == ""
    assert len(read_metrics(run)) == 2


@pytest.mark.parametrize(
    ("corpus", "options", "reason"),
    [
        ("none", [], "none"),
        ("build", ["-o", "FILE"], "is a file"),
        ("build", ["--set", "run.stepz=1"], "did you mean 'steps'?"),
        ("build", ["--config", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        ("build", ["--set", "speech.vocabulary=/nowhere"], "/nowhere"),
        ("build", ["--set", "data.max_sample_tokens=16"], "data.max_sample_tokens"),
    ],
)
def test_what_cannot_be_trained_on_ends_with_2_and_the_reason(corpus, options, reason, tmp_path):
    shards(tmp_path / "build")
    (tmp_path / "FILE").touch()
    options = [tmp_path / "FILE" if option == "FILE" else option for option in options]
    done = curation("train", tmp_path / corpus, "-o", tmp_path / "run", *SETTINGS, *options, code=2)
    assert reason in message(done)


def test_a_loss_that_is_no_number_stops_the_run_with_1(tmp_path):
    corpus, run = shards(tmp_path / "build"), tmp_path / "run"
    broken = [*SETTINGS, "-s", "run.steps=4", "-s", "optimizer.learning_rate=1e30", "-s", "optimizer.warmup_steps=0"]
    told = message(curation("train", corpus, "-o", run, *broken, code=1))
    assert "error: step " in told
