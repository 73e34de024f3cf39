"""Workers of several pools: the slowest pool gets what lets most through, and nothing is promised that does not fit."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.declarations import Resources
from curation.pipeline.workers.sizing import Node
from curation.pipeline.workers.spread import PoolNeeds, rate, reserved, spread, whole_share


def cpu(cpus=1.0, count=None):
    return PoolNeeds(Resources(cpus, 0), count)


def gpu(share, cpus=0.5, count=None):
    return PoolNeeds(reserved(Resources(cpus, share)), count)


def sizes(pools, seconds, *nodes, placed=None):
    places, lacking = spread(pools, seconds, {f"n{number}": node for number, node in enumerate(nodes)}, placed or {})
    return {name: sum(found.values()) for name, found in places.items()}, lacking


@pytest.mark.parametrize(
    ("share", "whole"), [(0.35, 0.5), (0.5, 0.5), (0.26, 1 / 3), (0.25, 0.25), (1, 1), (0.6, 1), (1.5, 2), (0.1, 0.1)]
)
def test_shares_of_a_gpu_are_rounded_up_to_one_of_m(share, whole):
    assert whole_share(share) == pytest.approx(whole)


def test_one_worker_for_each_pool_until_all_are_measured():
    pools = {"a": cpu(), "b": cpu(), "c": cpu()}
    assert sizes(pools, {}, Node(16)) == ({"a": 1, "b": 1, "c": 1}, "")
    assert sizes(pools, {"a": 1, "b": 1}, Node(16)) == ({"a": 1, "b": 1, "c": 1}, "")


def test_the_slow_pool_gets_the_workers():
    pools = {"front": cpu(), "slow": cpu(), "last": cpu(0.5)}
    assert sizes(pools, {"front": 1, "slow": 10, "last": 1}, Node(14))[0] == {"front": 2, "slow": 10, "last": 1}


def test_gpus_are_packed_by_device():
    """10 x 0.35 and 2 x 0.25 are 4.0 in all, but only two of 0.35 fit on a device."""
    pools = {"a": gpu(0.35, 0.1), "b": gpu(0.25, 0.1)}
    found, _ = sizes(pools, {"a": 100, "b": 1}, Node(64, 4))
    assert found == {"a": 7, "b": 1}


def test_a_pool_that_does_not_fit_is_named():
    assert sizes({"a": cpu(), "b": gpu(1)}, {}, Node(8))[1] == "b"
    assert sizes({"a": cpu(2), "b": cpu(1.5)}, {}, Node(3))[1] == "b"
    assert sizes({"a": gpu(1, count=3)}, {}, Node(16, 2))[1] == "a"
    assert sizes({"a": PoolNeeds(Resources(1, 0, 8))}, {}, Node(4, 0, 7.5))[1] == "a"


def test_as_many_as_configured_and_the_rest_around_them():
    found, _ = sizes({"a": cpu(count=3), "b": cpu()}, {"a": 1, "b": 9}, Node(16))
    assert found == {"a": 3, "b": 12}
    found, _ = sizes({"a": cpu(count=2), "b": cpu()}, {"a": 9, "b": 1}, Node(16))
    assert found["a"] == 2  # it stays the slowest, and more of the others would not help


def test_what_is_placed_stays():
    placed = {"a": {"n0": 5}, "b": {"n1": 1}}
    places, lacking = spread({"a": cpu(), "b": cpu()}, {"a": 1, "b": 1}, {"n0": Node(6), "n1": Node(2)}, placed)
    assert lacking == ""
    assert places["a"]["n0"] >= 5
    assert places["b"]["n1"] >= 1


def test_workers_without_a_gpu_leave_machines_with_gpus_alone_where_they_can():
    nodes = {"g": Node(8, 1), "c": Node(8)}
    places, _ = spread({"asr": gpu(1, 4), "front": cpu()}, {"asr": 1, "front": 3}, nodes, {})
    assert places == {"asr": {"g": 1}, "front": {"c": 3}}


@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(st.floats(0.1, 3), st.floats(0.1, 50)), min_size=1),
    st.integers(4, 24),
)
def test_no_other_sizes_let_more_through_on_one_machine(pools, cpus):
    needs = {name: cpu(each) for name, (each, _) in pools.items()}
    seconds = {name: taken for name, (_, taken) in pools.items()}
    places, lacking = spread(needs, seconds, {"n": Node(cpus)}, {})
    room = cpus - 1
    assert bool(lacking) == (sum(item.each.cpus for item in needs.values()) > room + 1e-6)
    if lacking:
        return
    reached = min(rate(name, seconds, places) for name in pools)
    for name, count in itertools.product(pools, range(1, 25)):
        aim = count / seconds[name] * (1 + 1e-6)
        if aim > reached:
            needed = sum(math.ceil(aim * seconds[other]) * needs[other].each.cpus for other in pools)
            assert needed > room + 1e-6 - 1e-4


machines = st.builds(Node, st.integers(1, 32), st.integers(0, 4), st.floats(1, 64))
asked = st.builds(
    PoolNeeds,
    st.builds(Resources, st.floats(0.1, 4), st.sampled_from([0, 0.25, 1 / 3, 0.5, 1, 2]), st.floats(0.1, 8)),
)


@given(st.dictionaries(st.sampled_from("abc"), asked, min_size=1), st.lists(machines, min_size=1, max_size=3))
def test_no_machine_is_promised_more_than_it_has(pools, nodes):
    named = {str(number): node for number, node in enumerate(nodes)}
    places, _ = spread(pools, dict.fromkeys(pools, 1.0), named, {})
    for name, node in named.items():
        counts = {pool: found.get(name, 0) for pool, found in places.items()}
        for what in ("cpus", "gpus", "memory_gib"):
            used = sum(count * getattr(pools[pool].each, what) for pool, count in counts.items())
            assert used <= getattr(node, what) + 1e-3
