# ruff: noqa: RUF001 - minus signs
"""Figures of languages that are written in words, but for English: what of a number its digits alone do not say.

1.500 and 1500 are the same in German, 1,5 and 15 are not; nor are 5, -5, 5 % and 5 €. A sign, a percent sign and a
currency are compared as the words that they are read as, where `WORDS` has them, and as themselves elsewhere.
"""

import re
import unicodedata
from collections.abc import Callable

POINT = frozenset(
    "am as bn cy ga gu ha he hi ig kn ko mi ml mr ms mt ne or pa si sn so sw ta te tl ug ur yo".split()  # noqa: SIM905
)
"""Languages with a decimal point; the others have a comma, and points between thousands."""
WORDS = {
    "de": {"-": "minus", "%": "prozent", "€": "euro", "$": "dollar", "£": "pfund"},
    "fr": {"-": "moins", "%": "pour 100", "€": "euros", "$": "dollars", "£": "livres"},
    "es": {"-": "menos", "%": "por 100", "€": "euros", "$": "dólares", "£": "libras"},
}
"""The hundred of a percent is a number, as `curation.text.number_words` reads it."""
UNITS = "%‰€$£¥"
APART = re.compile(rf"\d[.,\d]*\s+[{UNITS}][^\w\s]*(?!\S)|\S+")
"""A written word; a number with its unit is one, as in French "50 %"."""
FIGURES = re.compile(
    rf"(?P<sign>(?<!\w)[-−])?(?P<before>[{UNITS}])?\s*(?<![^\W_])(?P<number>\d+(?:[.,]\d+)*)(?:/(?P<under>\d+)(?![/\d]))?\s*(?P<after>[{UNITS}])?"
)
VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
FRACTIONS = {sign: " " + unicodedata.normalize("NFKC", sign).replace("\u2044", "/") for sign in VULGAR}
"""As figures; their compatibility forms (NFKC) would be further digits of a number before them."""
_SIGNS = str.maketrans(FRACTIONS | {"\u2044": "/"})
HAS_FIGURES = re.compile(rf"[\d{VULGAR}]")


def read_figures(word: str, language: str, clean: Callable[[str], str]) -> list[str]:
    """What is compared of a written word with figures; `clean` says it of the rest of the word."""
    text = unicodedata.normalize("NFKC", word.translate(_SIGNS))
    words, tokens, at = WORDS.get(language, {}), list[str](), 0
    for match in FIGURES.finditer(text):
        unit = match["before"] or match["after"] or ""
        number = plain_number(match["number"], language) + (f"/{match['under']}" if match["under"] else "")
        tokens += clean(text[at : match.start()]).split()
        tokens += words.get("-", "-").split() if match["sign"] else []
        tokens += [*number.split(), *(words.get(unit, unit).split())]
        at = match.end()
    return tokens + clean(text[at:]).split()


def plain_number(figures: str, language: str) -> str:
    """Digits, with a point before decimals; parts of a date or a version are numbers of their own."""
    digits = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in figures)
    point = "." if language in POINT else ","
    thousands = "," if point == "." else "."
    if re.fullmatch(rf"[1-9]\d{{0,2}}(?:\{thousands}\d{{3}})+(?:\{point}\d+)?", digits):
        digits = digits.replace(thousands, "")
    if re.fullmatch(r"\d+[.,]\d+", digits):
        return digits.replace(",", ".")
    return re.sub(r"[.,]", " ", digits)
