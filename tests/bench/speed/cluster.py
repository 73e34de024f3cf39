"""A build on Ray's cluster of 8 nodes on this machine, undisturbed and with the loss of a node: stages that sleep.

    python -m tests.bench.speed.cluster

Four nodes have 4 logical CPUs each, four have a logical GPU beside them. The rows are compared with those of one
process in which the same stages do not sleep.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from curation.core.storage import Storage
from curation.manifests.runs import read_runs
from curation.pipeline.job import Progress
from tests.bench.speed.pools import Shape, stages
from tests.support.builds import table, toy_build, toy_config, write_recordings

NODES, GPU_NODES, CPUS = 8, 4, 4
SHAPE = Shape(4.0, {"one": 1.0, "two": 1.0}, 1.0)
AWAKE = Shape(0.0, {"one": 0.0, "two": 0.0}, 0.0)
SEPARATE = "{one: {gpus: 1, cpus: 0.5}, two: {gpus: 1, cpus: 0.5}}"
DEAD_AFTER = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 8}


def started() -> Cluster:
    head = {"num_cpus": CPUS, "include_dashboard": False, "_system_config": DEAD_AFTER}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for number in range(1, NODES):
        cluster.add_node(num_cpus=CPUS, num_gpus=int(number >= NODES - GPU_NODES))
    return cluster


def run(source: Path, out: Path, act: Callable[[Cluster, int], None]) -> list[float]:
    """When each batch was committed, s; `act` is told the number of batches so far."""
    cluster, times = started(), []

    def note(progress: Progress) -> None:
        if progress.step == "label" and progress.audio_seconds:
            times.append(time.perf_counter())
            act(cluster, len(times))

    config = toy_config(
        "ray", address=cluster.address, unit_files=1, batch_seconds=100, pools="separate", pool_settings=SEPARATE
    )
    try:
        toy_build(source, out, config, make_stages=partial(stages, SHAPE), on_progress=note)
    finally:
        ray.shutdown()
        cluster.shutdown()
    return times


def rate(times: list[float], first: int, last: int) -> float:
    """Batches in a second between two batches."""
    return (last - first) / (times[last] - times[first])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=160)
    count = parser.parse_args().batches

    def lose_a_gpu_node(cluster: Cluster, done: int) -> None:
        if done == count // 2:
            cluster.remove_node(list(cluster.worker_nodes)[-1], allow_graceful=False)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_recordings(folder / "in", [f"r{number:04d}" for number in range(count)], seconds=2)
        config = toy_config(unit_files=1, batch_seconds=100)
        toy_build(source, folder / "expected", config, make_stages=partial(stages, AWAKE))
        for what, act in (("undisturbed", lambda *_: None), ("a GPU node lost", lose_a_gpu_node)):
            start = time.perf_counter()
            times = run(source, folder / what, act)
            (record,) = read_runs(Storage(str(folder / what)))
            same = all(
                table(folder / what, part).equals(table(folder / "expected", part)) for part in ("ledger", "shards")
            )
            rates = rate(times, count // 6, count // 2 - 1), rate(times, 2 * count // 3, count - 1)
            print(f"{what}: {time.perf_counter() - start:.0f} s, same rows: {same}, batches/s {rates[0]:.2f}", end="")
            print(f" in the first half, {rates[1]:.2f} in the last third, {count} batches")
            for pool, spent in record.pools.items():
                every = spent.busy + spent.waiting + spent.blocked
                print(f"  {pool:<8} {spent.workers} workers, busy {spent.busy / every:.0%}, {spent.retries} calls lost")


if __name__ == "__main__":
    main()
