"""Marks of other writings as evidence."""

# ruff: noqa: RUF001 - full-width marks

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.punctuation import split
from curation.text.written import mark_shares


@pytest.mark.parametrize(
    ("text", "writings", "shares"),
    [
        ("so now we go", ["So, now we go."] * 2, [1, 0, 0]),
        ("so now we go", ["So, now we go.", "so now we go"], [None, None, None]),  # alone it is no evidence for itself
        ("so now we go", ["So, now we go.", "So now we go.", "so now, we go."], [1 / 3, 1 / 3, 0]),
        ("so now we go", ["so now we go", ""], [None, None, None]),  # no marks at all: this system writes none
        ("so now we go", ["So, how we go."] * 2, [1, 0, 0]),  # another word in the place of one
        ("so now we go", ["So, we go."] * 2, [1, 1, 0]),  # a word too few: its neighbour tells
        ("so we", ["So, uh, we go."] * 2, [1]),
        ("他不是", ["他，不是。"] * 2, [1, 0]),
        ("so", ["So."], []),
        ("", ["So."], []),
    ],
)
def test_shares(text, writings, shares):
    assert mark_shares(text, writings) == shares


def test_a_place_that_no_writing_has_is_unknown():
    assert mark_shares("well I see it now then", ["it now, then."] * 2) == [None, None, 0, 0, 1]


WORDS = st.lists(st.sampled_from(["so", "now,", "we", "go.", "it"]), max_size=6).map(" ".join)


@given(WORDS, st.lists(WORDS, max_size=3))
def test_a_share_for_each_gap(text, writings):
    shares = mark_shares(text, writings)
    assert len(shares) == max(len(split(text).words) - 1, 0)
    assert all(share is None or 0 <= share <= 1 for share in shares)
    if any(char in text for char in ",."):
        marked = [any(char in ",." for char in gap) for gap in split(text).gaps[1:-1]]
        assert [share == 1 for share in mark_shares(text, [text, text])] == marked
