"""Values of English number words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.english_numbers import read_number
from tests.support.texts.spelled import words


@given(st.integers(0, 999_999_999), st.sampled_from([" ", " and "]))
def test_words_are_their_value(value, and_):
    atoms = words(value, " ", and_).split()
    assert read_number(atoms, 0) == (str(value), len(atoms))


@pytest.mark.parametrize(
    ("text", "digits", "rest"),
    [
        ("five hundred six hundred", "500", 2),
        ("one hundred and two hundred", "100", 3),
        ("two thousand three hundred four thousand", "2000", 4),
        ("nineteen eighty four", "1984", 0),
        ("nineteen eighties", "1980s", 0),
        ("nineteen hundred", "1900", 0),
        ("two thousand and five", "2005", 0),
        ("five six hundred", "5", 2),
        ("one oh five", "105", 0),
        ("double oh seven", "007", 0),
        ("oh seven seven", "077", 0),
        ("three point one four people", "3.14", 1),
        ("two and a half million", "2500000", 0),
        ("a million and a half", "1500000", 0),
        ("half a million", "500000", 0),
        ("3 thousand 5 hundred", "3500", 0),
        ("2.5 million", "2500000", 0),
        ("thousands of", "1000s", 1),
        ("twenty first", "21st", 0),
        ("20 5", "20", 1),
    ],
)
def test_how_far_a_number_goes(text, digits, rest):
    atoms = text.split()
    assert read_number(atoms, 0) == (digits, len(atoms) - rest)


@pytest.mark.parametrize("text", ["oh my", "and five", "a dog", "point taken", "half a dozen", ""])
def test_where_no_number_begins(text):
    assert read_number(text.split(), 0) is None


@given(
    st.lists(
        st.sampled_from(
            [word for value in (7, 12, 345, 6_000_080) for word in words(value, " ").split()]
            + ["and", "a", "half", "point", "oh", "8", "2.5", "first", "hundreds", "double", "of"]
        )
    )
)
def test_any_words_are_read_to_the_end(atoms):
    at = 0
    while at < len(atoms):
        found = read_number(atoms, at)
        assert found is None or at < found[1] <= len(atoms)
        at = found[1] if found else at + 1
