"""Numbers of English texts, read as values: "nineteen eighty-four" is 1984, "two and a half million" 2500000.

The reader takes atoms (`curation.text.english`), lower-case words, figures and signs, and says how far a number goes.
Of the libraries, text2num and the numbers of whisper-normalizer join neighbours ("five hundred six hundred" becomes
506 100 and 50600), and neither says which words a number came from; nemo-text-processing needs OpenFst.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

_WORDS = """
one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
sixteenth seventeenth eighteenth nineteenth
twenty thirty forty fifty sixty seventy eighty ninety
""".split()  # noqa: SIM905 - one word per line would take a page
_BELOW_20, _ORDINALS, _TENS = _WORDS[:19], _WORDS[19:38], _WORDS[38:]
_POWERS = ("thousand", "million", "billion", "trillion", "quadrillion")
SMALL = {
    **{word: value for value, word in enumerate(_BELOW_20, start=1)},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
}
SCALES = {"hundred": 100, **{word: 1000**power for power, word in enumerate(_POWERS, start=1)}}
ORDINAL = {
    **{word: (value, {1: "st", 2: "nd", 3: "rd"}.get(value, "th")) for value, word in enumerate(_ORDINALS, start=1)},
    **{word[:-1] + "ieth": (10 * value, "th") for value, word in enumerate(_TENS, start=2)},
    "zeroth": (0, "th"),
}
PLURAL = {
    **{"sixes" if word == "six" else word + "s": value for word, value in SMALL.items() if value < 20},
    **{word[:-1] + "ies": 10 * value for value, word in enumerate(_TENS, start=2)},
}
MULTIPLE = {**{word + "th": (value, "th") for word, value in SCALES.items()}} | {
    word + "s": (value, "s") for word, value in SCALES.items()
}
"""hundredth, thousands: a scale that ends its number."""
ZEROS = frozenset({"zero", "oh", "o"})
REPEATED = {"double": 2, "triple": 3}
PARTS = {
    **{f"and {one} half": 50 for one in ("a", "one")},
    **{f"and {one} quarter": 25 for one in ("a", "one")},
    "and three quarters": 75,
}
"""Hundredths behind a whole number."""
MOST_DIGITS = 1000
"""Of a number that is multiplied; Python reads 4,300 at most."""
NUMBER_WORDS = frozenset(
    {*SMALL, *SCALES, *ORDINAL, *PLURAL, *MULTIPLE, *ZEROS, *REPEATED, "a", "half", "point"},
)
"""Words with which a number may begin."""
FIGURES = re.compile(r"\d+(?:\.\d+)?|\.\d+")
CLOCK = re.compile(r"\d{1,2}:[0-5]\d")

Read = tuple[str, int]
"""Digits, which may have a point or a suffix ("21st", "1980s"), and the index behind the last atom."""


def read_number(atoms: Sequence[str], at: int) -> Read | None:
    """The number that begins with atom `at`; None where none does."""
    if atoms[at : at + 2] == ["half", "a"] and SCALES.get(_get(atoms, at + 2), 0) > 100:
        return str(SCALES[atoms[at + 2]] // 2), at + 3
    if _spells_digits(atoms, at):
        return _digit_string(atoms, at)
    found = _cardinal(atoms, at)
    if found is None:
        return _fraction_digits(atoms, at, "0")
    digits, end = found
    if not digits.isdecimal():
        return found
    return _with_part(atoms, digits, end) or _fraction_digits(atoms, end, digits) or found


def _get(atoms: Sequence[str], at: int) -> str:
    return atoms[at] if 0 <= at < len(atoms) else ""


def _spells_digits(atoms: Sequence[str], at: int) -> bool:
    """A number of which parts are named in turn: seven six three, nineteen eighty four, one oh five."""
    first, end = _two_digits(atoms, at)
    if not first:
        return False
    if first == "0" and _get(atoms, at) != "zero":  # the cry "oh" is no number, unless two more digits follow
        return all(SMALL.get(_get(atoms, at + ahead), 10) < 10 for ahead in (1, 2))
    following, after = _two_digits(atoms, end)
    closed = _get(atoms, end) in PLURAL or (_get(atoms, end) in ORDINAL and int(first) >= 10 and not _tens(first))
    return (
        first == "0" or _get(atoms, at) in REPEATED or closed or (bool(following) and _get(atoms, after) not in SCALES)
    )


def _tens(digits: str) -> bool:
    return int(digits) >= 20 and digits[-1] == "0"


def _two_digits(atoms: Sequence[str], at: int) -> Read:
    """A number below 100 in words, as digits; empty where there is none."""
    word = _get(atoms, at)
    if word in ZEROS:
        return "0", at + 1
    value = SMALL.get(word)
    ones = SMALL.get(_get(atoms, at + 1), 10)
    if word in REPEATED and (ones < 10 or _get(atoms, at + 1) in ZEROS):
        return str(ones % 10) * REPEATED[word], at + 2
    if value is None:
        return "", at
    return (str(value + ones), at + 2) if value >= 20 and ones < 10 else (str(value), at + 1)


def _digit_string(atoms: Sequence[str], at: int) -> Read:
    """Named parts side by side, up to a part that belongs to a scale; a decade or an ordinal may close them."""
    digits, end = _two_digits(atoms, at)
    while True:
        word = _get(atoms, end)
        part, after = _two_digits(atoms, end)
        if part and _get(atoms, after) in ORDINAL and _tens(part) and ORDINAL[atoms[after]][0] < 10:
            value, suffix = ORDINAL[atoms[after]]
            return f"{digits}{int(part) + value}{suffix}", after + 1
        if part and _get(atoms, after) not in SCALES:
            digits, end = digits + part, after
        elif word in PLURAL:
            return f"{digits}{PLURAL[word]}s", end + 1
        elif word in ORDINAL and ORDINAL[word][0] >= 10:
            return f"{digits}{ORDINAL[word][0]}{ORDINAL[word][1]}", end + 1
        else:
            fraction = _fraction_digits(atoms, end, digits)
            return fraction or (digits, end)


def _fraction_digits(atoms: Sequence[str], at: int, whole: str) -> Read | None:
    """`whole` with the decimals that are read out from atom `at` on, multiplied by a scale behind them."""
    if _get(atoms, at) != "point":
        return None
    decimals, end = "", at + 1
    while True:
        part, after = (atoms[end], end + 1) if _get(atoms, end).isdecimal() else _two_digits(atoms, end)
        if not part:
            return scaled(atoms, f"{whole}.{decimals}", end) if decimals else None
        decimals, end = decimals + part, after


def scaled(atoms: Sequence[str], digits: str, end: int) -> Read:
    """2.5 million is 2500000; a product that is no whole number stays as it is written."""
    scale = SCALES.get(_get(atoms, end)) if len(digits) < MOST_DIGITS else None
    if scale and (Fraction(digits) * scale).denominator == 1:
        return str(int(Fraction(digits) * scale)), end + 1
    return digits, end


def _with_part(atoms: Sequence[str], digits: str, end: int) -> Read | None:
    """Two and a half; two and a quarter million; a million and a half."""
    part = PARTS.get(" ".join(atoms[end : end + 3]))
    if part is None:
        return None
    last = SCALES.get(_get(atoms, end - 1), 1)
    if last > 1:
        return str(int(digits) + last * part // 100), end + 3
    return scaled(atoms, f"{digits}.{part}".removesuffix("0"), end + 3)


def _cardinal(atoms: Sequence[str], at: int) -> Read | None:
    """A number up to trillions, in words, figures, or figures with scales in words; an ordinal or plural ends it.

    A part that the following word shows to belong to the next number is given back: five hundred | six hundred.
    """
    if FIGURES.fullmatch(_get(atoms, at)) and (_get(atoms, at + 1) not in SCALES or not atoms[at].isdecimal()):
        return _behind_figures(atoms, at)
    group, end = _opening(atoms, at)
    total, least = 0, 1000**6
    group_at = small_at = at  # a group of -1: nothing yet; a scale alone counts once
    while True:
        word = _get(atoms, end)
        and_ = int(word == "and" and _get(atoms, end - 1) in SCALES and end > at)
        value = _part(_get(atoms, end + and_), behind_scale=total > 0 and group < 0)
        if value and (group < 0 or _fits(group, value[0])):
            small_at = end if group >= 100 and group % 100 == 0 else small_at
            group, end = max(group, 0) + value[0], end + and_ + 1
            if value[1]:
                return f"{total + group}{value[1]}", end
        elif not (group > 0 or end == at):
            break
        elif word in MULTIPLE:
            factor, suffix = MULTIPLE[word]
            return f"{total + abs(group) * factor}{suffix}", end + 1
        elif word == "hundred" and group < 100:
            group, end = abs(group) * 100, end + 1
        elif word in SCALES and word != "hundred" and SCALES[word] < least:
            least = SCALES[word]
            total, group, end = total + abs(group) * least, -1, end + 1
            group_at = end
        else:
            break
    named = group % 100 < 10 and SMALL.get(word, 10) < 10  # eight hundred | five five five
    if group > 100 and group % 100 and (word == "hundred" or named):
        group, end = group - group % 100, small_at
    elif word in SCALES and group >= 0 and total:
        group, end = -1, group_at
    return (str(total + max(group, 0)), end) if end > at else None


def _part(word: str, *, behind_scale: bool) -> tuple[int, str] | None:
    """(value, suffix) of a word below 100, or of figures below 1000 behind a scale."""
    if word in SMALL:
        return SMALL[word], ""
    if word in ORDINAL:
        return ORDINAL[word]
    if word in PLURAL:
        return PLURAL[word], "s"
    return (int(word), "") if behind_scale and word.isdecimal() and len(word) <= 3 and word[0] != "0" else None


def _fits(group: int, value: int) -> bool:
    """Whether a part may follow inside a number: twenty | one, three hundred | twelve."""
    return group % 100 == 0 or (value < 10 and group % 100 >= 20 and group % 10 == 0)


def _opening(atoms: Sequence[str], at: int) -> tuple[int, int]:
    """(value, index behind) of figures before a scale, or of "a" for one; (-1, at) elsewhere."""
    first = _get(atoms, at)
    if first.isdecimal():
        return int(first), at + 1
    return (1, at + 1) if first == "a" and _get(atoms, at + 1) in SCALES else (-1, at)


def _behind_figures(atoms: Sequence[str], at: int) -> Read:
    """Figures as they stand, or times a scale. "20 second" could be "twenty second", so both are the 22nd."""
    figures = "0" + atoms[at] if atoms[at][0] == "." else atoms[at]
    if _get(atoms, at + 1) == "second" and figures.isdecimal() and int(figures) >= 20 and int(figures) % 10 == 0:
        return f"{int(figures) + 2}nd", at + 2
    return scaled(atoms, figures, at + 1)
