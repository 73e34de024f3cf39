"""Which processes go on in the next step, and which are ended."""

import os
import signal
from dataclasses import dataclass

import pytest

from curation.core.declarations import Resources
from curation.core.storage import Storage
from curation.pipeline.assemble import worker_needs
from curation.pipeline.job import Done
from curation.pipeline.runtime.spares import Spares
from tests.support.builds import toy_config

LARGE, SMALL = Resources(cpus=0.9, gpus=0.0, memory_gib=1.0), Resources(cpus=0.1, gpus=0.0)


def test_a_process_of_the_same_size_on_the_same_node_goes_on():
    ended = []
    spares = Spares(ended.append)
    for node, needs, name in [("n", LARGE, "a"), ("n", SMALL, "b"), ("m", LARGE, "c"), ("n", LARGE, "d")]:
        spares.leave(node, needs, name)
    assert [spares.take("n", LARGE) for _ in range(3)] == ["a", "d", None]
    assert ended == ["b"]
    assert spares.take("m", SMALL) is None
    assert ended == ["b", "c"]


def test_a_process_with_a_gpu_is_ended():
    ended = []
    spares = Spares(ended.append)
    needs = Resources(cpus=1.0, gpus=0.5)
    spares.leave("n", needs, "a")
    assert (spares.take("n", needs), ended) == (None, ["a"])


@dataclass(frozen=True)
class Task:
    """One of several, so that workers do them."""

    name: str


def who(_):
    return Done(warning=str(os.getpid()))


def make_who():
    return who


@pytest.mark.slow
def test_a_step_goes_on_with_the_processes_of_the_one_before_it_and_without_those_that_died(cluster, tmp_path):
    from curation.pipeline.runtime.ray import RayRuntime

    config = toy_config("ray", address=cluster.address, worker_cpus=1.0)
    runtime = RayRuntime(config.engine, worker_needs(config), Storage(str(tmp_path)))

    def processes():
        return {int(done.warning) for done in runtime.map(make_who, [Task(str(number)) for number in range(8)])}

    with runtime:
        first, second = processes(), processes()
        assert second <= first
        for process in second:
            os.kill(process, signal.SIGKILL)
        assert processes().isdisjoint(second)
