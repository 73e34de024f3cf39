"""The same training through Ray Train, on this machine or on a cluster. The only file that imports `ray.train`.

Each worker runs `train_run` as a process of `torchrun` would. When a worker is lost all are restarted, and resume from
the last checkpoint; so RUN must be on storage that all nodes share. SIGTERM to the process that started them reaches
them as a file there.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchTrainer

from curation.core.errors import ConfigError, DataError, ModelError, StorageError
from curation.core.records import json_bytes
from curation.core.storage import Storage
from curation.train.checkpoint import places
from curation.train.checkpoint import training as checkpoint
from curation.train.checkpoint.speech_info import absolute
from curation.train.config import TrainConfig
from curation.train.loop.learner import BadBatchError
from curation.train.loop.metrics import StepMetrics, read_metrics
from curation.train.loop.stopping import Told, on_sigterm
from curation.train.run import Trained, check, train_run

RESTARTS = 3
"""How often lost workers are restarted before the run ends with their error."""
ERROR_FILE = ".error.json"
STOP_FILE = ".stop"
"""Workers that see it end after the step at work."""
ERRORS = {kind.__name__: kind for kind in (BadBatchError, ConfigError, DataError, ModelError, StorageError)}
"""Errors of users: a restart would not help."""
FOLLOW_SECONDS = 1.0
PATHS = (
    ("run", "validation"),
    ("model", "start_from"),
    ("speech", "vocabulary"),
    ("speech", "glm"),
    ("speech", "bicodec"),
)
"""Settings that may name a folder."""


def train_on_ray(shards: str, run: Path, config: TrainConfig, on_step: Callable[[StepMetrics], None]) -> Trained:
    """Train with `ray.workers` processes. Raises what a worker raised, once it has failed too often."""
    check(shards, config)
    run = run.resolve()
    run.mkdir(parents=True, exist_ok=True)
    for left in (ERROR_FILE, STOP_FILE):
        (run / left).unlink(missing_ok=True)
    address = config.ray.address or os.environ.get("RAY_ADDRESS") or "local"
    dashboard = None if address != "local" else False  # as a build starts Ray here
    ray.init(address=address, include_dashboard=dashboard, log_to_driver=False, logging_level=logging.ERROR)
    try:
        with on_sigterm() as told, _followed(run, on_step, told):
            result = _trainer(shards, run, config).fit()
    finally:
        ray.shutdown()
    if (run / ERROR_FILE).is_file():
        raise Storage(str(run)).read_record(
            ERROR_FILE, lambda note: ERRORS[note[0]](note[1]), "a worker failed; run the same command again"
        )
    last = places.latest(run)
    step = checkpoint.read_state(last).step if last else 0
    counted = getattr(result, "return_value", None) or {}  # of later versions of Ray than 2.50
    return Trained(step, last, counted, stopped=told() and step < config.run.steps)


def _for_workers(config: TrainConfig) -> dict[str, Any]:
    """Plain values; folders by their whole paths, since workers start in another folder than this process."""
    values = config.model_dump(mode="json")
    for section, name in PATHS:
        if values[section][name] is not None:
            values[section][name] = absolute(values[section][name])
    return values


def _trainer(shards: str, run: Path, config: TrainConfig) -> Any:
    settings = config.ray
    resources = {"CPU": settings.cpus_per_worker}
    if settings.gpus_per_worker:
        resources["GPU"] = settings.gpus_per_worker
    return TorchTrainer(
        _work,
        train_loop_config={"shards": absolute(shards), "run": str(run), "config": _for_workers(config)},
        scaling_config=ray.train.ScalingConfig(
            num_workers=settings.workers, use_gpu=settings.gpus_per_worker > 0, resources_per_worker=resources
        ),
        run_config=ray.train.RunConfig(
            name="ray", storage_path=str(run), failure_config=ray.train.FailureConfig(max_failures=RESTARTS)
        ),
    )


def _work(job: dict[str, Any]) -> dict[str, Any]:
    """What a worker does: Ray Train has set its rank and joined the processes. Gives what all loaders counted.

    After an error Ray ends the other workers, which may wait for this one, and starts all anew: these see the note.
    """
    run = Path(job["run"])
    if (run / ERROR_FILE).is_file():
        return {}
    try:
        config = TrainConfig.model_validate(job["config"])
        return train_run(job["shards"], run, config, lambda _: None, (run / STOP_FILE).exists).data
    except tuple(ERRORS.values()) as error:
        Storage(str(run)).write_bytes(ERROR_FILE, json_bytes([type(error).__name__, str(error)]))
        raise


@contextmanager
def _followed(run: Path, on_step: Callable[[StepMetrics], None], told: Told) -> Iterator[None]:
    """Hand over the steps that the first worker writes down; and to the workers, that they are told to end."""
    stop = threading.Event()
    seen = len(read_metrics(run))

    def follow() -> None:
        nonlocal seen
        stopped = False
        while not stopped:
            stopped = stop.wait(FOLLOW_SECONDS)
            if told():
                (run / STOP_FILE).touch()
            lines = read_metrics(run)
            for line in lines[seen:]:
                on_step(StepMetrics(**line))
            seen = len(lines)

    thread = threading.Thread(target=follow, name="follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
