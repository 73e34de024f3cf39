# ruff: noqa: RUF001 - full-width figures
"""Values of Chinese numerals."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.chinese_numbers import find_numbers
from curation.text.normalize import normalizer_for
from tests.support.texts.spelled import CHINESE

UNITS = normalizer_for("zh").units


@pytest.mark.parametrize("kind", CHINESE)
def test_spellings_of_a_value_are_alike_and_values_differ(kind):
    spell, values = CHINESE[kind]
    chance = random.Random(kind)  # noqa: S311 - the same values in every run
    known: dict[tuple[str, ...], int] = {}
    for value in chance.sample(values, min(60, len(values))):
        read = {tuple(UNITS(f"大约{text}左右")) for text in spell(value)}
        assert len(read) == 1, spell(value)
        assert known.setdefault(read.pop(), value) == value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("六十五个人和65個人", ["65", "65"]),
        ("一百五，两千五，三万二", ["150", "2500", "32000"]),
        ("兩萬零三十", ["20030"]),
        ("3千500", ["3500"]),
        ("1,234和１２，三", ["1234", "12", "3"]),
        ("负五度，-5度", ["-5", "-5"]),
        ("三點十五分", ["3:15"]),
        ("7点50，三点一刻，12:00", ["7:50", "3:15", "12点"]),
        ("百分之百，千分之五", ["100%", "5‰"]),
        ("10-15个，3:2，105-98", ["10", "到", "15", "3", "比", "2", "105", "比", "98"]),
        ("2024-05-04，138-0013-8000", ["2024", "05", "04", "138", "0013", "8000"]),
        ("五六个，五、六个，56个，一、二、三", ["5、6", "5", "、", "6", "56", "1", "2", "3"]),
        ("幺三八，幺妹", ["138"]),
        ("½，2½", ["1/2", "2又1/2"]),
        ("GPT-4", ["4"]),
        ("八九年", ["89"]),
        ("一亿两千万", ["120000000"]),
        ("三分之二或1/3，百分之三点五", ["2/3", "1/3", "3.5%"]),
        ("$100和¥五十", ["100美元", "50元"]),
        ("千万不要，万一", []),
        ("没有", []),
    ],
)
def test_numbers_of_a_text(text, values):
    assert [value for _, _, value in find_numbers(text) if value] == values


@pytest.mark.parametrize("text", ["9" * 5000 + "万", "1." + "9" * 5000, "一" + "亿" * 2000])
def test_numerals_longer_than_any_are_no_number(text):
    assert find_numbers(text) == [(0, len(text), "")]


@given(st.text("零一二两三十百千万亿点半分:.,%-第负5６年"))
def test_any_text_is_read_in_order(text):
    ends = [0, *(place for start, end, _ in find_numbers(text) for place in (start, end)), len(text)]
    assert ends == sorted(ends)
