"""Quantities: all spellings of a value are the same, and other values are not."""

import random

import pytest

from curation.text.normalize import normalizer_for
from tests.support.texts.spelled import ENGLISH

UNITS = normalizer_for("en").units


@pytest.mark.parametrize("kind", ENGLISH)
def test_spellings_of_a_value_are_alike_and_values_differ(kind):
    spell, values = ENGLISH[kind]
    chance = random.Random(kind)  # noqa: S311 - the same values in every run
    known: dict[tuple[str, ...], int] = {}
    for value in chance.sample(values, min(40, len(values))):
        read = {tuple(UNITS(f"there were {text} left")) for text in spell(value)}
        assert len(read) == 1, spell(value)
        assert known.setdefault(read.pop(), value) == value


@pytest.mark.parametrize(
    "texts",
    [
        ["at 10.30", "at ten thirty", "at 10:30"],
        ["two thirds", "2/3"],
        ["one half", "1/2"],
        ["three quarters", "three fourths", "3/4"],
        ["one tenth", "1/10"],
        ["nine tenths", "9/10"],
        ["two and a half cups", "2 1/2 cups", "2\u00bd cups", "2.5 cups"],
        ["-5 degrees", "minus five degrees", "\u22125 degrees"],
        ["5 km away", "five kilometers away", "5km away"],
        ["a 20-year-old", "a twenty-year-old", "a 20 year old"],
        ["50¢", "fifty cents", "$0.50"],
        ["the '80s", "the eighties", "the 80s"],
        ["the 1990's", "the 1990s", "the nineteen nineties"],
        ["-20°", "minus twenty degrees"],
        ["$50K", "fifty thousand dollars", "$50,000"],
        ["$2M", "two million dollars"],
        ["World War II", "World War two"],
        ["No. 5", "number five", "#5"],
        ["30 seconds", "thirty seconds"],
        ["2+2", "two plus two"],
    ],
)
def test_other_ways_to_write_the_same(texts):
    assert len({tuple(UNITS(text)) for text in texts}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-5", "5"),
        ("3.05", "305"),
        ("$20", "20"),
        ("5th", "5"),
        ("10.35 percent", "10:35"),
        ("47%", "47"),
        ("oh", "zero"),
        ("2/3", "3/2"),
        ("2/3", "23"),
        ("one third", "three"),
        ("two third", "2/3"),  # the second third, say
    ],
)
def test_what_is_not_the_same_differs(one, other):
    assert UNITS(one) != UNITS(other)


@pytest.mark.parametrize("text", ["3/2", "2/2", "0/2", "11/12", "1/7", "3/"])
def test_what_is_no_fraction_of_speech_is_read_as_its_numbers(text):
    """Dates, scores and what nobody says as a fraction."""
    assert text not in UNITS(f"was {text} then")
