"""Words are numbers by their letters alone, each list with its own times."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.dedup.words import numbers_and_times, plain
from curation.manifests.schemas import SHARDS
from tests.support.texts.characters import ANY

TEXTS = st.lists(st.none() | st.lists(st.text(ANY, max_size=6), max_size=5), max_size=6)


def column(lists):
    rows = [
        None
        if words is None
        else [{"text": word, "start": place / 4, "end": place / 4 + 0.125} for place, word in enumerate(words)]
        for words in lists
    ]
    return pa.array(rows, SHARDS.field("words").type)


@given(TEXTS, st.integers(0, 2))
def test_words_with_the_same_letters_have_the_same_number(lists, skipped):
    numbers, times = (found.to_pylist() for found in numbers_and_times(column(lists).slice(skipped)))
    lists = [words or [] for words in lists[skipped:]]
    assert times == [[place / 8 for place in range(2 * len(words))] for words in lists]
    every = [
        (plain(word), number)
        for words, found in zip(lists, numbers, strict=True)
        for word, number in zip(words, found, strict=True)
    ]
    assert len({*every}) == len({word for word, _ in every})
    assert len({*every}) == len({number for _, number in every})


@pytest.mark.parametrize(("one", "two"), [("Don't", "dont"), ("Straße,", "STRASSE"), ("你,", "你"), ("3.5", "35")])
def test_marks_and_case_do_not_count(one, two):
    numbers, _ = numbers_and_times(column([[one], [two], ["x"]]))
    first, second, third = numbers.flatten().to_pylist()
    assert first == second != third
