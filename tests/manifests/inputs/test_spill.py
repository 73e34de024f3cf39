"""Lists on disk: what is added comes back sorted, however little is in memory; and two of them are joined."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.inputs import spill
from curation.manifests.inputs.spill import SortedOnDisk, joined
from tests.support.texts.characters import ANY

keys = st.text("ab\u00e9\U0001f600", max_size=3)


def by_first(item):
    return item[0]


def on_disk():
    return SortedOnDisk(by_first, list, tuple)


@given(items=st.lists(st.tuples(keys, st.text(ANY, max_size=40))), run=st.integers(1, 900), chunk=st.integers(1, 400))
def test_items_come_sorted_and_equal_ones_as_they_were_added(items, run, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "RUN_BYTES", run)
        patch.setattr(spill, "CHUNK_BYTES", chunk)
        found = on_disk()
        for number, item in enumerate(items):
            found.add((*item, number))
        expected = sorted([(*item, number) for number, item in enumerate(items)], key=by_first)
        assert list(found) == expected
        assert len(found) == len(items)
        for one, two in zip(found, found, strict=True):  # two walks at the same time
            assert one == two
        found.add(("a", "later", -1))
        assert list(found) == sorted([*expected, ("a", "later", -1)], key=by_first)


def test_little_is_in_memory_at_a_time(monkeypatch):
    monkeypatch.setattr(spill, "RUN_BYTES", 2**18)
    monkeypatch.setattr(spill, "CHUNK_BYTES", 2**12)
    monkeypatch.setattr(spill, "ITEM_BYTES", 600)
    found = on_disk()
    tracemalloc.start()
    for number in range(8_000):
        found.add((f"{number * 7919 % 8_000:05d}", "x" * 800))
    assert [int(name) for name, _ in found] == list(range(8_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_500_000  # of 7 MB


@given(left=st.lists(keys, max_size=9).map(sorted), right=st.sets(keys, max_size=9).map(sorted))
def test_joined_lists_are_like_a_dictionary(left, right):
    pairs = list(joined(left, right, str, str))
    assert pairs == [(name, name if name in right else None) for name in left]
