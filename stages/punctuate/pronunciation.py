"""English pronunciations for words that the dictionary does not have: letters to ARPAbet, and numbers in words.

A coarse pronunciation is enough here. It only has to keep the words around it aligned; by how much it shifts them is
measured by tests/bench/accuracy/alignment.py.
"""

import re
import unicodedata
from collections.abc import Callable

Lookup = Callable[[str], str | None]
"""Lower-case word -> phones separated by spaces, or None."""

# fmt: off
ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
# fmt: on
SCALES = [(10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")]
SYMBOLS = {
    "%": "percent",
    "$": "dollars",
    "€": "euros",
    "£": "pounds",
    "&": "and",
    "+": "plus",
    "@": "at",
    "=": "equals",
    "°": "degrees",
}

# Longest match first. `c` and `g` before e, i, y, and the silent final e, are handled in `spell`.
GRAPHEMES = {
    "tion": "SH AH N", "sion": "ZH AH N", "ture": "CH ER", "ight": "AY T", "ough": "AO", "augh": "AO", "eigh": "EY",
    "tch": "CH", "sch": "SH", "dge": "JH", "igh": "AY", "ear": "IH R", "eer": "IH R", "air": "EH R", "our": "AO R",
    "oor": "AO R", "ier": "IH R", "que": "K",
    "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W", "ck": "K", "ng": "NG", "qu": "K W", "gh": "G",
    "kn": "N", "wr": "R", "rh": "R", "ee": "IY", "ea": "IY", "oo": "UW", "ou": "AW", "ow": "OW", "oi": "OY",
    "oy": "OY", "ai": "EY", "ay": "EY", "au": "AO", "aw": "AO", "ei": "IY", "ey": "IY", "ie": "IY", "oa": "OW",
    "ew": "UW", "eu": "Y UW", "ue": "UW", "ui": "UW", "er": "ER", "ir": "ER", "ur": "ER", "ar": "AA R",
    "or": "AO R", "bb": "B", "cc": "K", "dd": "D", "ff": "F", "gg": "G", "ll": "L", "mm": "M", "nn": "N",
    "pp": "P", "rr": "R", "ss": "S", "tt": "T", "zz": "Z",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH",
    "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip
VOWELS = "aeiouy"


def number_words(number: int) -> list[str]:
    """A cardinal in words: 1984 -> one thousand nine hundred eighty four. From 10^15 on, digit by digit."""
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10]] + ([ONES[number % 10]] if number % 10 else [])
    if number >= 10**15:
        return digit_words(str(number))
    scale, name = next(item for item in SCALES if number >= item[0])
    rest = number % scale
    return [*number_words(number // scale), name, *(number_words(rest) if rest else [])]


def digit_words(digits: str) -> list[str]:
    """Digit by digit: 404 -> four zero four."""
    return [ONES[int(digit)] for digit in digits]


def pair_words(digits: str) -> list[str]:
    """Two by two, as years are read: 1984 -> nineteen eighty four, 1905 -> nineteen o five."""
    left, right = int(digits[:2]), int(digits[2:])
    if right == 0:
        return [*number_words(left), "hundred"]
    return [*number_words(left), *(["o"] if right < 10 else []), *number_words(right)]


def readings(digits: str) -> list[list[str]]:
    """The readings of a run of digits, most likely first."""
    ways = [number_words(int(digits))]
    if len(digits) == 4 and digits[0] != "0":
        ways.insert(0, pair_words(digits))
    if len(digits) > 2 or digits[0] == "0":
        ways.append(digit_words(digits))
    return ways


def spell(word: str) -> str:
    """ARPAbet phones for a word by rule; empty where it has no Latin letter."""
    plain = unicodedata.normalize("NFKD", word.lower()).replace("ß", "ss").replace("ø", "o").replace("æ", "ae")
    letters = "".join(letter for letter in plain if "a" <= letter <= "z")
    if letters.endswith("e") and sum(letter in VOWELS for letter in letters) > 1 and letters[-2] not in VOWELS:
        letters = letters[:-1]
        final = letters + "e"
    else:
        final = letters
    phones: list[str] = []
    at = 0
    while at < len(letters):
        if letters[at] in "cg" and final[at + 1 : at + 2] in set("eiy"):
            phones.append("S" if letters[at] == "c" else "JH")
            at += 1
            continue
        size = next(n for n in (4, 3, 2, 1) if letters[at : at + n] in GRAPHEMES and at + n <= len(letters))
        phones.append(GRAPHEMES[letters[at : at + size]])
        at += size
    return " ".join(phones)


def pronounce(word: str, lookup: Lookup) -> list[str]:
    """Pronunciations for a word outside the dictionary, most likely first; none where it cannot be spoken.

    Numbers are read in words, letters between them by rule, a run of consonants (bbc) by the names of its letters.
    """
    ways = [""]
    spoken = re.sub(r"^([$€£])(.+)", r"\2\1", word.replace(",", ""))
    for piece in re.findall(r"\d+|[^\W\d_]+|[%$€£&+@=°]|\.(?=\d)", spoken):
        options = _piece(piece, lookup)
        ways = [f"{way} {option}".strip() for way in ways for option in options][:8]
    return [way for way in dict.fromkeys(ways) if way]


def _piece(piece: str, lookup: Lookup) -> list[str]:
    if piece.isdecimal():
        return [" ".join(filter(None, map(lookup, way))) for way in readings(str(piece))]
    if piece in SYMBOLS or piece == ".":
        return [lookup(SYMBOLS.get(piece, "point")) or ""]
    if known := lookup(piece.lower()):
        return [known]
    if len(piece) > 1 and not set(piece.lower()) & set(VOWELS):
        return [" ".join(filter(None, (lookup(f"{letter}.") for letter in piece.lower())))]
    return [spell(piece)]
