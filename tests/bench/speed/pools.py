"""Pools of workers against fused workers: stages that sleep, on 4 logical GPUs and 16 logical CPUs of one machine.

    python -m tests.bench.speed.pools

Three shapes of work, each by both engines in the same run. The rate is that of the last two thirds of the batches, when
the pools have their sizes; the limit is the rate of the slowest pool with the workers that there are at the end.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from curation.manifests.records import Recording
from curation.pipeline.config import BuildConfig
from curation.pipeline.job import Progress
from curation.stages.base import Branched, Stage
from curation.stages.loudness import Loudness
from tests.support.builds import toy_build, toy_config, write_recordings
from tests.support.toy import Cut, Hear

CPUS, GPUS = 16, 4


@dataclass(frozen=True)
class Shape:
    """Seconds of each part for a batch."""

    front: float
    systems: Mapping[str, float]
    back: float

    @property
    def seconds(self) -> float:
        """Of all parts, one after the other."""
        return self.front + sum(self.systems.values()) + self.back


SHAPES = {
    "balanced": Shape(4.0, {"one": 1.0, "two": 1.0}, 1.0),
    "one system 3 x slower": Shape(4.0, {"one": 0.5, "two": 1.5}, 1.0),
    "CPU-bound front": Shape(9.0, {"one": 1.0, "two": 1.0}, 1.0),
}


class Rest(Stage):
    """Sleeps for a batch."""

    batched = True

    def __init__(self, name: str, seconds: float) -> None:
        self.name, self.seconds = name, seconds  # type: ignore[misc] - one class for several stages

    def process(self, batch: Sequence[Recording]) -> None:
        time.sleep(self.seconds if batch else 0.0)


class Systems(Branched):
    """Systems that sleep for a batch."""

    name = "systems"

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self.seconds = seconds

    @property
    def branches(self) -> list[str]:
        return list(self.seconds)

    def setup_branch(self, name: str) -> None:
        """There are no models."""

    def branch(self, name: str, batch: Sequence[Recording]) -> list[None]:
        time.sleep(self.seconds[name])
        return [None] * len(batch)

    def join(self, batch: Sequence[Recording], found: Mapping[str, Any]) -> None:
        """There is nothing to put together."""


def stages(shape: Shape, config: BuildConfig) -> list[Stage]:
    parts = [Rest("front", shape.front), Systems(shape.systems), Rest("back", shape.back)]
    return [Loudness(config.loudness), Cut(), *parts, Hear()]


def rate(shape: Shape, source: Path, count: int, address: str, **engine: Any) -> float:
    """Batches in a second, without the first third."""
    times: list[float] = []

    def note(progress: Progress) -> None:
        if progress.step == "label" and progress.audio_seconds:
            times.append(time.perf_counter())

    config = toy_config("ray", address=address, unit_files=1, batch_seconds=100, **engine)
    with tempfile.TemporaryDirectory() as out:
        toy_build(source, Path(out), config, make_stages=partial(stages, shape), on_progress=note)
    first = count // 3
    return (count - 1 - first) / (times[-1] - times[first])


def limit(shape: Shape) -> float:
    """Batches in a second that the best sizes allow."""
    best = 0.0
    for one in range(1, GPUS):
        gpus = min(one / shape.systems["one"], (GPUS - one) / shape.systems["two"])
        cpus = CPUS - 1 - 0.1 - 0.5 * GPUS
        fronts = max(min(n / shape.front, int(cpus - n) / shape.back) for n in range(1, int(cpus)))
        best = max(best, min(gpus, fronts))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=240)
    parser.add_argument("--shapes", type=int, default=len(SHAPES))
    arguments = parser.parse_args()
    separate = "{one: {gpus: 1, cpus: 0.5}, two: {gpus: 1, cpus: 0.5}}"
    head = {"num_cpus": CPUS, "num_gpus": GPUS, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    print(f"{'':<24} {'limit':>7} {'pools':>7} {'/limit':>7} {'fused':>7} {'/limit':>7}  batches/s")
    with tempfile.TemporaryDirectory() as name:
        many = write_recordings(Path(name) / "many", [f"r{n:04d}" for n in range(arguments.batches)], seconds=2)
        few = write_recordings(Path(name) / "few", [f"r{n:04d}" for n in range(arguments.batches // 4)], seconds=2)
        for what, shape in list(SHAPES.items())[: arguments.shapes]:
            pooled = rate(shape, many, arguments.batches, cluster.address, pools="separate", pool_settings=separate)
            fused = rate(shape, few, arguments.batches // 4, cluster.address, pools="fused", worker_gpus=1)
            most = limit(shape)
            print(
                f"{what:<24} {most:7.2f} {pooled:7.2f} {pooled / most:7.2f} {fused:7.2f} {fused / most:7.2f}",
                flush=True,
            )
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
