"""How many workers fit on machines: decoding always has room beside them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.declarations import Resources
from curation.pipeline.config import EngineConfig
from curation.pipeline.workers.sizing import DECODERS_GIB, Node, decoding, fitting_workers, none_fits


def fit(needs, *nodes, **settings):
    workers = fitting_workers(needs, nodes, EngineConfig(**settings))
    return workers.count, workers.cpus, workers.needs.gpus


@pytest.mark.parametrize("cpus", [1, 2, 3, 8, 9, 10, 18, 36, 71, 72])
def test_workers_and_decoding_fit_on_any_number_of_cpus(cpus):
    """With 0.9 CPUs each, 10 workers took all of 9 CPUs, and decoding waited for ever."""
    count, each, _ = fit(Resources(0.9, 0, 1), Node(cpus))
    assert count == int(cpus / 0.9)
    assert count * each + 0.1 <= cpus
    assert each > 0.8


@pytest.mark.parametrize(
    ("needs", "nodes", "expected"),
    [
        (Resources(1, 0), [Node(1)], (1, 0.9, 0)),
        (Resources(1, 0), [Node(2)], (2, 0.95, 0)),
        (Resources(4, 1), [Node(4, 1), Node(4, 1)], (2, 3.9, 1)),  # a GPU is not left idle for a decoder
        (Resources(3.9, 1), [Node(4, 1), Node(32)], (1, 3.9, 1)),
        (Resources(1, 0.5), [Node(64, 4)], (8, 1, 0.5)),
        (Resources(1, 0.4), [Node(64, 2)], (4, 1, 0.4)),  # a share is of one device
        (Resources(1, 2), [Node(64, 5)], (2, 1, 2)),
        (Resources(1, 0, 3), [Node(64, 0, 10), Node(1, 0, 10)], (4, 0.9, 0)),
        (Resources(2, 0), [Node(1), Node(1)], (0, 2, 0)),  # a worker does not span nodes
        (Resources(1, 0), [], (0, 1, 0)),
        (Resources(1, 0), [Node(0), Node(4)], (4, 0.975, 0)),  # the head labels nothing
    ],
)
def test_workers_fit_node_by_node(needs, nodes, expected):
    assert fit(needs, *nodes) == expected


def test_gpus_are_not_needed_where_there_are_none_and_the_cpu_may_stand_in():
    assert fit(Resources(1, 1), Node(4)) == (0, 1, 1)
    assert fit(Resources(1, 1), Node(4), gpu_fallback=True) == (4, 0.975, 0)
    assert fit(Resources(1, 1), Node(4, 1), gpu_fallback=True) == (1, 1, 1)


def test_no_more_workers_than_configured():
    assert fit(Resources(1, 0), Node(8), workers=3)[0] == 3
    assert fit(Resources(1, 0), Node(2), workers=3)[0] == 2


def test_why_none_fits_names_what_is_short():
    nodes = [Node(2, 0, 1.5)]
    message = none_fits(fitting_workers(Resources(1, 1, 2.0), nodes, EngineConfig()), nodes)
    assert "1 GPUs (engine.worker_gpus) and 2.0 GiB" in message
    assert "2 CPUs, 0 GPUs, 1.5 GiB" in message


def test_the_fullest_machine_gives_up_workers_where_fewer_are_configured():
    workers = fitting_workers(Resources(1, 0), [Node(2), Node(8), Node(4)], EngineConfig(workers=6))
    assert [share.count for share in workers.shares] == [2, 2, 2]


shares = st.floats(0.01, 8.0)
machines = st.builds(Node, st.integers(0, 96), st.integers(0, 8), st.floats(0.5, 512))


@given(
    shares,
    st.sampled_from([0, 0.25, 0.3, 0.5, 1, 2]),
    st.floats(0.1, 8),
    st.lists(machines, max_size=4),
    shares,
    st.floats(0, 9),
)
def test_workers_and_decoding_fit_together_on_each_machine(cpus, gpus, memory, nodes, decode, load):
    needs, engine = Resources(cpus, gpus, memory), EngineConfig(decode_cpus=decode)
    workers = fitting_workers(needs, nodes, engine)
    for node, share in zip(nodes, workers.shares, strict=True):
        decoders = decoding(share, engine, load)
        every = [(share.count, share.each), (decoders.count, decoders.each)]
        assert bool(share.count) == bool(decoders.count)
        assert sum(count * each.cpus for count, each in every) <= node.cpus + 1e-9
        assert sum(count * (each.memory_gib or 0) for count, each in every) <= node.memory_gib + 1e-6
        assert share.count * share.each.gpus <= node.gpus + 1e-9
        assert 0 < share.each.cpus <= cpus + 1e-9 or share.each.cpus < 1e-3
        able = node.cpus >= cpus + decode and node.gpus >= gpus and node.memory_gib >= memory + DECODERS_GIB
        assert bool(share.count) >= able
