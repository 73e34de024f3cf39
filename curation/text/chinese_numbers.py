# ruff: noqa: RUF001 - full-width marks
"""Numbers of Chinese (simplified and traditional) and Japanese texts, read as values: 六十五 is 65, 2.5万 is 25000.

Years and other strings of figures (二〇二六), percent (百分之四十七), decimals (三点五), times (十点半), signs, ranges
(10-15 is 10到15), scores (3:2 is 3比2), and numbers that are not exact (五六个 is 5、6, not 56).
A numeral that is no number by itself (千万, 万一) stays as it is. cn2an does the same for whole texts, without saying
where the numbers are, and it stops at what is no number.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from curation.text.figures import FRACTIONS, VULGAR

DIGITS = {**{sign: value for value, sign in enumerate("零一二三四五六七八九")}, "〇": 0, "○": 0, "两": 2, "兩": 2}
TENS = {"十": 10, "百": 100, "千": 1000}
MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
CURRENCIES = {"$": "美元", "¥": "元", "€": "欧元", "£": "英镑"}
_FIGURE = "".join(DIGITS)
_NUMERAL = "".join([_FIGURE, *TENS, *MYRIADS])
_AMOUNT = rf"[0-9{_NUMERAL}]+(?:,[0-9]{{3}}(?![0-9]))*(?:[.点點][0-9{_FIGURE}]+(?![十百千]))?[{''.join(MYRIADS)}]*"
NUMBER = re.compile(
    rf"(?P<sign>(?<![0-9A-Za-z%‰{_NUMERAL}])[-−负負](?=[0-9{_NUMERAL}百]))?"
    rf"(?:(?P<hours>[0-9{_NUMERAL}]+)(?:[点點时時](?P<half>半)|[点點时時:](?P<minutes>[0-9{_NUMERAL}]{{1,4}})分"
    rf"|:(?P<figures>[0-5][0-9])(?![0-9])|[点點](?P<spoken>[二三四五]?十[{_NUMERAL}]?)|[点點](?P<quarter>[一三13])刻"
    rf"|(?<=[0-9])[点點](?P<dotted>[1-5][0-9])(?![0-9{_NUMERAL}]))"
    rf"|(?P<under>(?![百千]分之)[0-9{_NUMERAL}]+)分之(?P<over>[0-9{_NUMERAL}]+)|(?P<upper>[0-9]+)/(?P<lower>[0-9]+)"
    rf"|(?P<whole>[0-9]*)(?P<vulgar>[{VULGAR}])"
    rf"|(?P<percent>[百千]分之)?(?P<currency>[$¥€£])?(?P<amount>{_AMOUNT})(?P<mark>[%‰])?)"
)
PHONE_ONE = re.compile(rf"(?<=[0-9幺{_FIGURE}])幺|幺(?=[0-9幺{_FIGURE}])")
"""The 1 of telephone numbers; 幺 alone is another word."""
EITHER = frozenset("一二 两三 兩三 二三 三四 四五 五六 六七 七八 八九 三五".split())  # noqa: SIM905
"""Two numbers of which one is meant."""
MOST_SIGNS = 100
"""Of a numeral with units; Python writes no numbers of more than 4,300 digits."""

PART = re.compile(rf"(?=.)([零〇○]*)([0-9]+|[一二三四五六七八九两兩]?)([{''.join(TENS)}]|[{''.join(MYRIADS)}]+)?")
"""Zeros that are read out, a figure or numeral, and its unit."""

RANGE = frozenset("-–—~〜")
Found = tuple[int, int, str]
"""Start, end and normal form, which is empty for numerals that are no number by themselves."""


def find_numbers(text: str) -> list[Found]:
    """The numbers of a text in order: digits, with a sign, a point or a percent sign where they belong."""
    plain = PHONE_ONE.sub("一", "".join(map(_plain, text)))
    found = []
    for match in NUMBER.finditer(plain):
        fraction = match["under"] or match["upper"] or match["vulgar"]
        value = _clock(match) if match["hours"] else _fraction(match) if fraction else _amount(match)
        sign = "-" if match["sign"] and value else ""
        found.append((match.start(), match.end(), sign + value))
    return sorted([*found, *_between(plain, found)])


def _between(plain: str, found: Sequence[Found]) -> list[Found]:
    """The marks between two numbers that are said: of a range, a score, and of one number or the next."""
    marks = [plain[one[1] : other[0]] for one, other in pairwise(found)]
    between = []
    for place, mark in enumerate(marks):
        alone = mark not in {*marks[place - 1 : place], *marks[place + 1 : place + 2]}  # no date, no telephone number
        said = _said(mark, found[place][2], found[place + 1][2]) if alone else ""
        if said:
            between.append((found[place][1], found[place + 1][0], said))
    return between


def _said(mark: str, low: str, high: str) -> str:
    """到 of 10-15, 比 of 3:2 and 3-2; empty where nothing is said."""
    one, other = low.rstrip("%‰"), high.rstrip("%‰")
    if not all(re.fullmatch(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]+)?", number) for number in (one, other)):
        return ""
    if mark == "、":
        return mark if len(one) == 1 and (int(one) + 1 == float(other) or one + other == "35") else ""
    if mark in RANGE and float(one) < float(other) and (len(one), len(other)) != (3, 4):
        return "到"
    return "比" if mark in {"-", ":"} and max(len(one), len(other)) <= 3 else ""


def _plain(sign: str) -> str:
    """Full-width forms as ASCII; what is not one character stays."""
    folded = unicodedata.normalize("NFKC", sign)
    return folded if len(folded) == 1 and sign != "，" else sign


def _clock(match: re.Match[str]) -> str:
    hours = _value(match["hours"])
    written = match["minutes"] or match["figures"] or match["spoken"] or match["dotted"]
    quarter = {"一": "15", "1": "15", "三": "45", "3": "45"}.get(match["quarter"])
    minutes = "30" if match["half"] else quarter or _value(written)
    if hours is None or minutes is None:
        return ""
    hours = hours.removeprefix("0") or "0"
    return f"{hours}点" if minutes == "00" else f"{hours}:{minutes.removeprefix('0'):0>2}"


def _fraction(match: re.Match[str]) -> str:
    if match["vulgar"]:
        parts = FRACTIONS[match["vulgar"]].strip()
        return f"{match['whole']}又{parts}" if match["whole"] else parts
    over, under = _value(match["over"] or match["upper"]), _value(match["under"] or match["lower"])
    if over is None or under is None:
        return ""
    return f"{over}/{under}"


def _amount(match: re.Match[str]) -> str:
    amount, per = match["amount"], {"百分之": "%", "千分之": "‰"}.get(match["percent"], match["mark"] or "")
    following = match.string[match.end() : match.end() + 1]
    if amount in EITHER and not per and following != "年":
        return "、".join(str(DIGITS[sign]) for sign in amount)
    value = "100" if match["percent"] and amount == "百" else _value(amount)
    return "" if value is None else value + per + CURRENCIES.get(match["currency"], "")


def _value(written: str) -> str | None:
    """Digits of an amount; None where it is none."""
    body = written.replace(",", "")
    if len(body) > MOST_SIGNS and set(body) & {*TENS, *MYRIADS, ".", "点", "點"}:
        return None
    scale = 1
    whole, point, decimals = re.sub("[点點]", ".", body).partition(".")
    if point:
        while decimals[-1] in MYRIADS:
            scale *= MYRIADS[decimals[-1]]
            decimals = decimals[:-1]
        digits = _value(whole)
        if digits is None:
            return None
        number = f"{digits}.{''.join(str(DIGITS.get(sign, sign)) for sign in decimals)}"
        product = Fraction(number) * scale
        return number if scale == 1 or product.denominator != 1 else str(product.numerator)
    if not set(whole) & {*TENS, *MYRIADS}:
        return "".join(str(DIGITS.get(sign, sign)) for sign in whole)
    return _counted(whole)


def _counted(whole: str) -> str | None:
    """一百二十三万四千, 3千5百, 65万, and 一百五 for 150: figures or a numeral before tens, hundreds and myriads."""
    total = section = 0
    unit, spoken = 10**9, 10  # what follows in the section is below `unit`, and without a unit in tenths of `spoken`
    for zero, number, sign in PART.findall(whole):
        value = int(number) if number.isascii() and number else DIGITS.get(number)
        if sign in TENS:
            if TENS[sign] >= unit or (value is None and sign != "十"):
                return None
            section += (1 if value is None else value) * TENS[sign]
            unit = spoken = TENS[sign]
        elif sign:
            if not section + (value or 0):
                return None
            total += (section + (value or 0)) * math.prod(MYRIADS[one] for one in sign)
            section, unit, spoken = 0, 10**9, MYRIADS[sign[-1]]
        elif value is not None:
            if unit == 1:
                return None
            section += value * (spoken // 10 if not zero and value < 10 else 1)
            unit = 1
    return str(total + section)
