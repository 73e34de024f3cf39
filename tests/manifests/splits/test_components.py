"""Which recordings belong together: as a plain search over the graph says, whatever its shape."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.manifests.duplicates.near import SCHEMA, Groups
from curation.manifests.plan import Todo, extend_plan, read_plan
from curation.manifests.records import Source
from curation.manifests.splits.components import Components, digests_of, joined


def searched(links):
    """The first item that each one is joined with, by a search from every item."""
    count = len(links[0])
    found = [None] * count
    for start in range(count):
        if found[start] is None:
            waiting = [start]
            while waiting:
                one = waiting.pop()
                if found[one] is None:
                    found[one] = start
                    waiting += [
                        other for link in links for other in range(count) if link[one] and link[other] == link[one]
                    ]
    return found


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 12), min_size=n, max_size=n), min_size=1, max_size=3)
    )
)
@settings(max_examples=60, deadline=None)
def test_components_are_those_of_a_search(links):
    items = np.arange(len(links[0]))
    got = joined(len(items), [(items, np.array(link, np.uint64)) for link in links])
    assert got.tolist() == searched(links)


def test_a_long_chain_is_one_component():
    count = 5000
    order = np.random.default_rng(0).permutation(count)
    pairs = [np.empty(count, np.uint64) for _ in range(2)]
    for link, shift in zip(pairs, (0, 1), strict=True):
        link[order] = (np.arange(count) + shift) // 2 + 1
    assert set(joined(count, [(np.arange(count), link) for link in pairs]).tolist()) == {0}


def test_texts_that_are_empty_join_nothing():
    assert digests_of(pa.array(["", None, "a", "a"])).tolist()[:2] == [0, 0]
    assert joined(3, [(np.arange(3), np.zeros(3, np.uint64))]).tolist() == [0, 1, 2]
    assert joined(0, [(np.arange(0), np.zeros(0, np.uint64))]).tolist() == []


def test_an_item_with_several_links_joins_them():
    items, keys = np.array([3, 1, 3, 2]), np.array([7, 7, 8, 8], np.uint64)
    assert joined(4, [(items, keys)]).tolist() == [0, 1, 1, 1]


@pytest.fixture
def plan(tmp_path):
    """b, c and d in the first generation; then a, and d again with another speaker."""
    out = Storage(str(tmp_path))
    made = read_plan(out)
    for sources in (
        [Source("b", "x.wav", speaker="Ann"), Source("c", "y.wav", speaker="Bob"), Source("d", "z.wav", speaker="Bob")],
        [Source("a", "y.wav"), Source("d", "z.wav", speaker="Ann")],
    ):
        made = extend_plan(out, made, map(Todo, sources), unit_files=1, unit_bytes=1e9)
    return made


def groups(components):
    """The recordings of each component, and the oldest one of each."""
    names = {int(digests_of(pa.array([name]))[0]): name for name in "abcd"}
    ids = [names[int(one)] for one in components.digests]
    return {
        ids[root]: {ids[i] for i, other in enumerate(components.oldest) if other == root}
        for root in {*components.oldest}
    }


def test_recordings_of_a_plan_oldest_first(plan):
    by = ("speaker", "recording")
    assert groups(Components.of(plan, by)) == {"b": {"b", "d"}, "c": {"c", "a"}}
    assert groups(Components.of(plan, ("recording",))) == {"b": {"b"}, "c": {"c", "a"}, "d": {"d"}}
    assert groups(Components.of(plan, ())) == {name: {name} for name in "abcd"}


def test_near_duplicates_belong_together_whatever_their_utterances(plan):
    rows = [
        {"group": group, "id": one} for group, one in ((7, "b"), (7, "c"), (8, "c"), (8, "unknown"), (9, "c"), (9, "a"))
    ]
    Groups(pa.Table.from_pylist(rows, schema=SCHEMA), 2).write(plan.out)
    assert groups(Components.of(plan, ("duplicate",))) == {"b": {"a", "b", "c"}, "d": {"d"}}
    assert groups(Components.of(plan, ("speaker",))) == {"b": {"b", "d"}, "c": {"c"}, "a": {"a"}}


def test_places_of_recordings(plan):
    components = Components.of(plan, ())
    assert components.places_of(digests_of(pa.array(["a", "none", "b"]))).tolist() == [3, -1, 0]
    nothing = Components(np.empty(0, np.uint64), np.empty(0, np.int64))
    assert nothing.places_of(digests_of(pa.array(["a"]))).tolist() == [-1]
