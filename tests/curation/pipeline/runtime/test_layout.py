"""Which workers a step has where: beside decoding in the label pass, and for as long as machines may come."""

import pytest

from curation.core.declarations import Resources
from curation.core.errors import ConfigError
from curation.pipeline.config import EngineConfig
from curation.pipeline.runtime.layout import Layout
from curation.pipeline.runtime.pool import Pool
from curation.pipeline.workers.sizing import Node


def layout(nodes, name="label", needs=Resources(1, 0), *, may_grow=False, **settings):  # noqa: B008 - it is frozen
    return Layout(EngineConfig(**settings), needs, name, lambda: nodes, may_grow=may_grow)


def test_the_label_pass_has_decoders_on_each_node_that_labels():
    machines = layout({"head": Node(0), "small": Node(2), "large": Node(16)})
    assert machines.wanted() == {"label": {"small": 2, "large": 16}, "decode": {"small": 1, "large": 3}}
    assert machines.workers() == 18
    assert machines.each("label", "small").cpus == 0.95
    assert machines.each("decode", "large").cpus == pytest.approx(0.0062)


@pytest.mark.parametrize(("load", "decoders"), [(0.01, 3), (0.5, 8), (1.2, 16)])
def test_decoders_come_where_workers_would_wait_for_them(load, decoders):
    """Once both are measured; together they reserve no more than before."""
    machines = layout({"n": Node(16)})
    machines.pools = {name: Pool(name, start=None) for name in ("label", "decode")}
    first = machines.wanted()
    for _ in range(3):
        assert machines.wanted() == first
        machines.pools["label"].ended_well(2.0)
        machines.pools["decode"].ended_well(2.0 * load)
    assert machines.wanted() == {"label": {"n": 16}, "decode": {"n": decoders}}
    assert machines.each("decode", "n").cpus * decoders <= 0.1


def test_other_steps_decode_nothing():
    assert layout({"n": Node(2)}, "publish").wanted() == {"publish": {"n": 2}}


def test_nodes_that_come_and_go_are_seen():
    nodes = {"a": Node(2)}
    machines = layout(nodes, "publish")
    assert machines.wanted()["publish"] == {"a": 2}
    nodes["b"] = Node(4)
    del nodes["a"]
    assert machines.wanted()["publish"] == {"b": 4}


def test_where_none_fits_it_is_an_error_unless_machines_may_come():
    with pytest.raises(ConfigError, match=r"no worker fits.*1 GPUs .*set engine.workers"):
        layout({"n": Node(2)}, needs=Resources(1, 1)).wanted()
    assert layout({"n": Node(2)}, "publish", Resources(1, 1), may_grow=True).wanted() == {"publish": {}}
    nodes = {"n": Node(2)}
    late = layout(nodes, "publish", Resources(1, 1), may_grow=True, start_seconds=1e-9)
    with pytest.raises(ConfigError, match="no worker fits"):
        late.wanted()
