"""Numbers with their nouns, and how many distinct texts there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core import counts
from curation.core.counts import Distinct, counted, digest


@pytest.mark.parametrize(("number", "text"), [(0, "0 workers"), (1, "1 worker"), (2, "2 workers"), (11, "11 workers")])
def test_only_one_is_singular(number, text):
    assert counted(number, "worker") == text


@given(st.lists(st.lists(st.text("ab\u4e2d", max_size=3), max_size=9)))
def test_distinct_texts_are_counted_once(parts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "FEW", 2)
        distinct = Distinct()
        for part in parts:
            distinct.add(map(digest, part))
        copy = Distinct()
        copy.add(distinct.values())
    expected = {text for part in parts for text in part}
    assert len(distinct) == len(copy) == len(expected)
    assert distinct.values() == sorted(map(digest, expected))
