"""The same training through Ray Train, on a cluster in this machine."""

import os
import signal
from pathlib import Path

import pytest

from curation.core.errors import DataError
from curation.train.checkpoint import places
from curation.train.config import load_training_config
from curation.train.loop.learner import BadBatchError
from curation.train.loop.metrics import read_metrics
from curation.train.ray import train_on_ray
from tests.train.test_run import FEW, losses, shards, train


def on_ray(corpus, run, workers, *overrides):
    seen = []
    settings = [f"ray.workers={workers}", "ray.cpus_per_worker=0.5", *FEW, *overrides]
    done = train_on_ray(corpus, run, load_training_config(overrides=settings), seen.append)
    return done, seen


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_are_one_process_with_as_many_times_the_accumulation(cluster, tmp_path, monkeypatch, workers):
    """Also where paths are relative: workers start in another folder."""
    corpus = shards(tmp_path / "build")
    shards(tmp_path / "held-out", count=30, first=60)
    monkeypatch.chdir(tmp_path)
    settings = [f"ray.address={cluster.address}", "run.validation=held-out", "run.validation_rows=1"]
    done, seen = on_ray("build", Path("ray"), workers, "run.steps=3", *settings)
    train(corpus, tmp_path / "one", "run.steps=3", f"run.accumulation={workers}")
    assert "validation" in read_metrics(tmp_path / "ray")[-1]
    assert losses(tmp_path / "ray") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    assert done.step == 3
    assert done.data["rows"] == 3 * workers
    assert done.checkpoint == places.latest(tmp_path / "ray")
    assert [metrics.step for metrics in seen] == [1, 2, 3]


@pytest.mark.slow
def test_a_bad_batch_ends_training_with_its_message(tmp_path):
    """On a Ray that the training starts itself."""
    corpus = shards(tmp_path / "build")
    with pytest.raises(BadBatchError, match=r"is nan(.|\n)*utt-"):
        on_ray(corpus, tmp_path / "run", 2, "run.steps=400", "optimizer.learning_rate=1e30")


@pytest.mark.slow
def test_an_error_of_one_worker_does_not_keep_the_other_waiting(tmp_path):
    """Each has its own blocks, and one comes to the damaged shard first."""
    corpus = shards(tmp_path / "build")
    damaged = max((tmp_path / "build/shards").glob("*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:500])
    with pytest.raises(DataError, match=rf"{damaged.name} is damaged"):
        on_ray(corpus, tmp_path / "run", 2, "run.steps=400", "data.block_rows=4", "data.lanes=2")


@pytest.mark.slow
def test_a_signal_to_the_command_ends_the_workers_with_a_checkpoint(tmp_path):
    corpus, run = shards(tmp_path / "build"), tmp_path / "run"
    endless = ["ray.workers=2", "ray.cpus_per_worker=0.5", *FEW, "run.steps=5000", "run.save_steps=5000"]
    told = []

    def tell(metrics):
        if not told:
            told.append(metrics.step)
            os.kill(os.getpid(), signal.SIGTERM)

    done = train_on_ray(corpus, run, load_training_config(overrides=endless), tell)
    assert done.stopped
    assert told[0] <= done.step == read_metrics(run)[-1]["step"] < 5000
    assert done.checkpoint == places.latest(run)
