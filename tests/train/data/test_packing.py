"""Packing: nothing lost, nothing cut, no row that could have been spared."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.train.data.packing import pack

LENGTHS = st.lists(st.integers(1, 50), max_size=60)


@given(lengths=LENGTHS, open_rows=st.integers(1, 8))
def test_each_sample_is_in_one_row_and_rows_keep_the_budget(lengths, open_rows):
    rows = pack(lengths, 50, open_rows)
    assert sorted(itertools.chain(*rows)) == list(range(len(lengths)))
    assert all(0 < sum(lengths[i] for i in row) <= 50 for row in rows)
    assert all(row == sorted(row) for row in rows)


@given(lengths=LENGTHS)
def test_no_two_rows_could_have_been_one(lengths):
    totals = [sum(lengths[i] for i in row) for row in pack(lengths, 50, open_rows=1000)]
    assert all(one + other > 50 for one, other in itertools.combinations(totals, 2))


def test_a_sample_goes_where_it_leaves_least():
    assert sorted(pack([30, 40, 10, 20], 50, 4)) == [[0, 3], [1, 2]]


def test_a_full_window_closes_the_fullest_row_first():
    assert pack([30, 40, 35], 50, 2)[0] == [1]


def test_a_sample_above_the_budget_is_an_error():
    with pytest.raises(ValueError, match="sample 1 has 51 tokens"):
        pack([5, 51], 50, 2)
