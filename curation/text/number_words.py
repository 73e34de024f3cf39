"""Whole numbers below 100 that are written in one word, in German, French and Spanish: `nueve` is compared as `9`.

Whisper writes the same number now in digits and now in a word, at another speed. A word counts that
stands between spaces, hyphens included (`vingt-cinq`); those of several words (`treinta y cinco`) stay as they are, and
so do `un`, `une`, `ein` and `una`, which are mostly articles. What sounds like a number and is another word (French
`neuf`, new) is compared as the number in every text alike.
"""

from collections.abc import Mapping
from functools import cache

_GERMAN = "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf".split()  # noqa: SIM905
_GERMAN_TEENS = ("drei", "vier", "fünf", "sech", "sieb", "acht", "neun")
_GERMAN_TENS = ("zwanzig", "dreissig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_FRENCH = "deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize".split()  # noqa: SIM905
_FRENCH_TENS = ("vingt", "trente", "quarante", "cinquante", "soixante")
_SPANISH = (
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve"
)
_SPANISH_TENS = ("treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa")


@cache
def number_words(language: str) -> Mapping[str, str]:
    """Number words, as `curation.text.normalize.clean_unicode` leaves them, and their digits."""
    makers = {"de": _german, "fr": _french, "es": _spanish}
    return makers[language]() if language in makers else {}


def _german() -> dict[str, str]:
    found = {"eins": "1"} | {word: str(2 + place) for place, word in enumerate(_GERMAN)}
    found |= {f"{stem}zehn": str(13 + place) for place, stem in enumerate(_GERMAN_TEENS)}
    for place, ten in enumerate(_GERMAN_TENS):
        value = 20 + 10 * place
        found[ten] = str(value)
        found |= {f"{unit}und{ten}": str(value + 1 + one) for one, unit in enumerate(["ein", *_GERMAN[:8]])}
    return found


def _french() -> dict[str, str]:
    below = ["un", *_FRENCH, "dix sept", "dix huit", "dix neuf"]  # 1 to 19
    found = {word: str(1 + place) for place, word in enumerate(below) if word != "un"}
    for place, ten in enumerate(_FRENCH_TENS):
        value = 20 + 10 * place
        found |= {ten: str(value), f"{ten} et un": str(value + 1)}
        found |= {f"{ten} {unit}": str(value + 2 + one) for one, unit in enumerate(below[1:9])}
    found |= {f"soixante {unit}": str(70 + one) for one, unit in enumerate(below[9:])} | {"soixante et onze": "71"}
    found |= {f"quatre vingt {unit}": str(81 + one) for one, unit in enumerate(below)}
    return found | {"quatre vingts": "80", "quatre vingt": "80"}


def _spanish() -> dict[str, str]:
    found = {word: str(1 + place) for place, word in enumerate(_SPANISH.split())}
    return found | {ten: str(30 + 10 * place) for place, ten in enumerate(_SPANISH_TENS)}
