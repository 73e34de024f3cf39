"""The same training through Ray Train, on this machine or on a cluster. The only file that imports `ray.train`.

Each worker runs `train_run` as a process of `torchrun` would. A worker that is lost is started again with all others,
and they go on from the last checkpoint; so RUN must be on storage that all nodes share.
"""

import logging
import os
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchTrainer

from curation.train.config import TrainConfig
from curation.train.run import Trained, train_run

RESTARTS = 3
"""How often lost workers are started again before the run ends with their error."""


def train_on_ray(shards: str, run: Path, config: TrainConfig) -> Trained:
    """Train with `ray.workers` processes. Raises what a worker raised, once it has failed too often."""
    settings = config.ray
    address = settings.address or os.environ.get("RAY_ADDRESS") or "local"
    ray.init(address=address, log_to_driver=True, logging_level=logging.ERROR, ignore_reinit_error=True)
    resources = {"CPU": settings.cpus_per_worker}
    if settings.gpus_per_worker:
        resources["GPU"] = settings.gpus_per_worker
    trainer = TorchTrainer(
        _work,
        train_loop_config={"shards": shards, "run": str(run.resolve()), "config": config.model_dump(mode="json")},
        scaling_config=ray.train.ScalingConfig(
            num_workers=settings.workers, use_gpu=settings.gpus_per_worker > 0, resources_per_worker=resources
        ),
        run_config=ray.train.RunConfig(
            name="ray",
            storage_path=str(run.resolve()),
            failure_config=ray.train.FailureConfig(max_failures=RESTARTS),
        ),
    )
    try:
        trainer.fit()
    finally:
        ray.shutdown()
    from curation.train import checkpoint

    last = checkpoint.latest(run)
    return Trained(checkpoint.read_state(last)["step"] if last else 0, last, {})


def _work(job: dict[str, Any]) -> None:
    """What a worker does: Ray Train has told it its rank, and joined the processes."""
    train_run(job["shards"], Path(job["run"]), TrainConfig.model_validate(job["config"]), lambda _: None)
