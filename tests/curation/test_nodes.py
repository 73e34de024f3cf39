"""A build on a cluster of three nodes that loses one of them."""

import logging

import pytest
import ray
from ray.cluster_utils import Cluster

from tests.builds import table, toy_build, toy_config, write_recordings
from tests.toy import slow_toy_stages

NAMES = [f"r{number:03d}" for number in range(30)]


@pytest.fixture
def cluster():
    """A head and two more nodes with one CPU each, all on this machine."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_node_is_lost_and_not_replaced(cluster, tmp_path):
    source = write_recordings(tmp_path / "in", NAMES)
    toy_build(source, tmp_path / "expected", make_stages=slow_toy_stages)
    nodes_at_work, lost = [], []

    def lose_a_node(step, report, total):
        if step == "label" and report.task != "start" and not lost:
            nodes_at_work.append(sum(node["Alive"] for node in ray.nodes()))
            lost.append(cluster.worker_nodes.copy().pop())
            cluster.remove_node(lost[0], allow_graceful=False)

    config = toy_config("ray", address=cluster.address, batch_seconds=6)
    toy_build(source, tmp_path / "out", config, make_stages=slow_toy_stages, on_step=lose_a_node)
    assert nodes_at_work == [3]
    for folder in ("shards", "ledger"):
        assert table(tmp_path / "out", folder).equals(table(tmp_path / "expected", folder))
