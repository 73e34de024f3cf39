"""Figures of other languages than English: the same number is the same, and other numbers differ."""

# ruff: noqa: RUF001 - minus signs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.normalize import normalizer_for

MARKS = ("{}", "-{}", "{}%", "{} €", "${}", "1,{}", "1/{}", "{},5")


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("de", ["5 %", "5%", "5\u202f%", "fünf Prozent"]),
        ("de", ["1.500 Leute", "1500 Leute"]),
        ("de", ["1.234.567,5", "1234567,5", "1234567.5"]),
        ("de", ["5 €", "5€", "€5", "fünf Euro"]),
        ("de", ["-5", "−5", "minus fünf"]),
        ("fr", ["50 %.", "50%", "cinquante pour cent"]),
        ("fr", ["½", "1/2"]),
        ("es", ["99%", "99 por ciento", "noventa y nueve por ciento"]),
        ("ko", ["1,500", "1500"]),
        ("hi", ["१२३%", "123 %"]),
    ],
)
def test_ways_to_write_the_same(language, texts):
    assert len({tuple(normalizer_for(language).units(text)) for text in texts}) == 1


@pytest.mark.parametrize("language", ["de", "fr", "it", "ko"])
@given(st.integers(2, 99))
def test_what_stands_beside_a_number_tells_it_from_others(language, number):
    texts = [mark.format(number) for mark in MARKS]
    assert len({tuple(normalizer_for(language).units(text)) for text in texts}) == len(texts)


@pytest.mark.parametrize(("one", "other"), [("1.500", "1,500"), ("1,5", "15"), ("2½", "212"), ("3/4", "34")])
def test_other_numbers_differ(one, other):
    assert normalizer_for("de").units(one) != normalizer_for("de").units(other)


def test_dates_and_versions_are_numbers_of_their_own():
    assert normalizer_for("de").units("am 12.05.2020") == ["am", "12", "05", "2020"]


def test_figures_of_a_name_belong_to_it():
    assert normalizer_for("de").units("der A380 mit MP3") == ["der", "a380", "mit", "mp3"]
