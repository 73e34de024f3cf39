"""Columns of maps, taken apart and put together again, say the same as Python's own dictionaries."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.columns.maps import Entries, nulls_for
from curation.manifests.schemas import NOTE_MAP, SCORE_MAP

names = st.sampled_from(["pwer", "pwer.a", "b", "", "é"])
scores = st.lists(st.none() | st.dictionaries(names, st.floats(-9, 9)), max_size=6)


def column(rows, kind=SCORE_MAP):
    """The rows as maps, in two chunks, the second of which is a slice."""
    maps = [None if row is None else list(row.items()) for row in rows]
    middle = len(maps) // 2
    return pa.chunked_array([pa.array(maps[:middle], kind), pa.array([None, *maps[middle:]], kind)[1:]])


def as_dicts(lists):
    return [{entry["name"]: entry["value"] for entry in row} for row in lists.to_pylist()]


@given(rows=scores)
def test_numbers_by_name_and_the_others_as_lists(rows):
    entries = Entries.of(column(rows))
    found = entries.columns(["b", "nobody", "pwer"])
    for place, name in enumerate(["b", "nobody", "pwer"]):
        assert nulls_for(found[place]).to_pylist() == [(row or {}).get(name) for row in rows]
    rest = entries.lists(["b", "pwer"])
    assert as_dicts(rest) == [{k: v for k, v in (row or {}).items() if k not in {"b", "pwer"}} for row in rows]
    assert all([*row] == sorted(row) for row in as_dicts(rest))


@given(first=scores, second=scores)
def test_of_two_columns_the_first_counts(first, second):
    size = min(len(first), len(second))
    merged = Entries.of(column(first[:size])).over(Entries.of(column(second[:size])))
    expected = [{**(b or {}), **(a or {})} for a, b in zip(first, second, strict=False)]
    assert as_dicts(merged.lists()) == expected


def test_of_several_rows_below_one_the_highest_counts():
    entries = Entries.of(column([{"b": 1.0}, {"b": 3.0}, {"b": 2.0}, {}])).under(np.array([0, 0, 2, 2]), 3)
    assert nulls_for(entries.columns(["b"])[0]).to_pylist() == [3.0, None, 2.0]


def test_texts_and_what_is_not_a_number():
    assert Entries.of(column([{"x": "é"}, None], NOTE_MAP)).lists().to_pylist() == [[{"name": "x", "value": "é"}], []]
    assert nulls_for(Entries.of(column([{"b": float("nan")}])).columns(["b"])[0]).to_pylist() == [None]


def test_no_rows():
    entries = Entries.of(column([]))
    assert entries.over(entries).columns(["b"]).shape == (1, 0)
    assert entries.lists().to_pylist() == []
