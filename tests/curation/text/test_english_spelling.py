"""Ranges and Roman numerals as they are spoken, and what only looks like one."""

import pytest

from curation.text.english_spelling import as_spoken
from curation.text.normalize import normalizer_for

UNITS = normalizer_for("en").units


@pytest.mark.parametrize(
    "texts",
    [
        ["1990-95", "1990 to 95", "nineteen ninety to ninety five"],
        ["ages 5-10,", "ages five to ten"],
        ["a 20-25-year-old", "a twenty to twenty-five-year-old"],
        ["2.5-3.5 million", "2.5 to 3.5 million"],
        ["World War I", "World War One", "world war 1"],
        ["World War II.", "World War Two"],
        ["Pope John Paul II", "Pope John Paul the Second"],
        ["Act III, scene ii", "act three scene two"],
        ["\u00bd percent", "half a percent", "a half percent", "1/2%", "one half of one percent"],
    ],
)
def test_ways_to_write_the_same(texts):
    assert len({tuple(UNITS(text)) for text in texts}) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["555-1234"],
        ["9-1-1"],
        ["3-2"],
        ["50-50"],
        ["007-100"],
        ["2026-11-27"],
        ["the", "part", "i", "like"],
        ["a", "mix", "of"],
        ["xi", "jinping"],
        ["chapter", "xiiii"],
        ["v"],
        ["chapter", ","],
        ["10:30-11"],
    ],
)
def test_what_is_something_else_stays(words):
    assert as_spoken(words) == words


def test_units_that_differ_stay():
    assert UNITS("$5 to \u20ac10") == ["$5", "to", "\u20ac10"]
    assert UNITS("10% to $15") == ["10%", "to", "$15"]
