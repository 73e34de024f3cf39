"""A build on a cluster of three nodes, or eight, that loses one of them for good."""

import time

import pytest
import ray
from ray.cluster_utils import Cluster

from tests.support.builds import table, toy_build, toy_config, write_recordings
from tests.support.toy import LOG_VARIABLE, slow_toy_stages

NAMES = [f"r{number:03d}" for number in range(40)]
DEAD_AFTER = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 8}
"""Ray's own 15 s are for real networks."""


@pytest.fixture(params=[pytest.param(count, marks=pytest.mark.slow) for count in (3, 8)])
def cluster(request, tmp_path, monkeypatch):
    """A head and more nodes with one CPU each, all on this machine; all write what they label into one log."""
    monkeypatch.setenv(LOG_VARIABLE, str(tmp_path / "log"))
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": DEAD_AFTER}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(request.param - 1):
        cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_node_is_lost_and_not_replaced(cluster, tmp_path, monkeypatch):
    source = write_recordings(tmp_path / "in", NAMES)
    nodes: list[int] = []
    waiting = []

    def lose_a_node(progress):
        if progress.step == "label" and progress.audio_seconds and not nodes:
            nodes.append(_alive())
            waiting.append(len(NAMES) - len((tmp_path / "log").read_text().splitlines()))
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)  # SIGKILL to all its processes
        elif progress.step == "shards" and progress.done:
            nodes.append(_alive_after_loss(nodes[0]))

    config = toy_config("ray", address=cluster.address, batch_seconds=6)
    toy_build(source, tmp_path / "out", config, make_stages=slow_toy_stages, on_progress=lose_a_node)
    assert nodes[1] == nodes[0] - 1
    assert waiting[0] > 0, "nothing was left to do when the node went"
    monkeypatch.delenv(LOG_VARIABLE)
    toy_build(source, tmp_path / "expected", make_stages=slow_toy_stages)
    for folder in ("shards", "ledger"):
        assert table(tmp_path / "out", folder).equals(table(tmp_path / "expected", folder))


def _alive_after_loss(before: int, limit: float = 60.0) -> int:
    """How many nodes are left; the rest of the work may be done before the head has missed the lost one."""
    end = time.monotonic() + limit
    while (found := _alive()) == before and time.monotonic() < end:
        time.sleep(0.2)
    return found


def _alive() -> int:
    return sum(node["Alive"] for node in ray.nodes())
