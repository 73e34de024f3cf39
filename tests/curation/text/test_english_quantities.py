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
        ["5 \u00d7 3 = 15", "five times three equals fifteen"],
        ["5\u22123", "five minus three"],
        ["5/6", "five sixths"],
        ["2\u215d inches", "2 5/8 inches"],
        ["2\u00bd million", "2 1/2 million", "two and a half million"],
        ["2.25", "two and a quarter"],
        ["6.75 million", "six and three quarters million"],
        ["half of it", "1/2 of it", "one half of it", "a half of it"],
        ["a third of it", "1/3 of it"],
        ["$5.50", "five dollars fifty", "five dollars and fifty cents", "5 dollars 50 cents"],
        ["$5, 20 years ago", "five dollars twenty years ago"],
        ["\u00a35", "\u00a35.00", "five pounds"],
        ["\u00a30.50", "50p", "fifty pence"],
        ["-$5", "$-5", "minus five dollars"],
        ["1 km", "one kilometer"],
        ["60 km/h", "60 kph", "sixty kilometers per hour"],
        ["20 \u00b0C", "20\u2103", "twenty degrees Celsius"],
        ["10 lbs", "ten pounds"],
        ["No, 5 people", "no, five people"],
        ["1 800 555 0199", "one eight hundred five five five oh one nine nine"],
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
        ("\u215d", "58"),
        ("2\u215d", "258"),
        ("5\u00b2", "52"),
        ("10\u2076", "106"),
        ("5\u00d73", "53"),
        ("5\u22123", "53"),
        ("1/7", "17"),
        ("$-5", "$5"),
        ("50 pence", "50 cents"),
        ("\u00a30.50", "$0.50"),
        ("five yen", "five yuan"),
        ("two dollars 150 cents", "$2.150"),
        ("1.50 meters", "150 meters"),
        ("0.50 seconds", "050 seconds"),
        ("no five", "number five"),
    ],
)
def test_what_is_not_the_same_differs(one, other):
    assert UNITS(one) != UNITS(other)


@pytest.mark.parametrize("text", ["3/2", "2/2", "0/2", "11/12", "1/11", "1/6/2026", "3/"])
def test_what_is_no_fraction_of_speech_is_read_as_its_numbers(text):
    """Dates, scores and what nobody says as a fraction."""
    assert text not in UNITS(f"was {text} then")
