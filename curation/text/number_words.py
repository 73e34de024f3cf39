"""Whole numbers in words of German, French and Spanish: `nueve` is compared as `9`, `vierundzwanzig` as `24`.

Whisper writes the same number now in digits and now in words, at another speed. The words of the numbers below 10,000
count, with hyphens (`vingt-cinq`) or without, in German the years by their hundreds (`neunzehnhundertachtzig`) and the
whole thousands too; but not `un`, `une`, `ein` and `una`, which are mostly articles. What sounds like a number and is
another word (French `neuf`, new) is compared as the number in every text alike.
"""

from collections.abc import Mapping, Sequence
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
_SPANISH_HUNDREDS = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
)

Numbers = dict[str, int]


@cache
def number_words(language: str) -> Mapping[str, str]:
    """Number words, as `curation.text.normalize.clean_unicode` leaves them, and their digits."""
    makers = {"de": _german, "fr": _french, "es": _spanish}
    found = makers[language]() if language in makers else {}
    return {words: str(value) for words, value in found.items()}


def _counted(counts: Sequence[Sequence[str]], scale: int, rests: Numbers, link: str) -> Numbers:
    """One to nine hundreds (or thousands), whose words are `counts`, with and without what is below."""
    found: Numbers = {}
    for count, every in enumerate(counts, start=1):
        for words in every:
            found[words] = count * scale
            found |= {f"{words}{link}{rest}": count * scale + value for rest, value in rests.items()}
    return found


def _german() -> Numbers:
    below = {"eins": 1} | {word: 2 + place for place, word in enumerate(_GERMAN)}
    below |= {f"{stem}zehn": 13 + place for place, stem in enumerate(_GERMAN_TEENS)}
    for place, ten in enumerate(_GERMAN_TENS):
        value = 20 + 10 * place
        below[ten] = value
        below |= {f"{unit}und{ten}": value + 1 + one for one, unit in enumerate(["ein", *_GERMAN[:8]])}
    rests = below | {f"und{word}": value for word, value in below.items() if value < 13}
    units = _GERMAN[:8]
    hundreds = _counted([["hundert", "einhundert"], *([f"{unit}hundert"] for unit in units)], 100, rests, "")
    thousands = _counted(
        [["tausend", "eintausend"], *([f"{unit}tausend"] for unit in units)], 1000, rests | hundreds, ""
    )
    years = {
        f"{word}hundert{rest}": 100 * century + value
        for word, century in below.items()
        if 10 < century < 20
        for rest, value in ({"": 0} | below).items()
    }
    many = {f"{word.removesuffix('s')}tausend": 1000 * value for word, value in (below | hundreds).items() if value > 9}
    return below | hundreds | thousands | years | many


def _french() -> Numbers:
    ones = ["un", *_FRENCH, "dix sept", "dix huit", "dix neuf"]  # 1 to 19
    below = {word: 1 + place for place, word in enumerate(ones)}
    for place, ten in enumerate(_FRENCH_TENS):
        value = 20 + 10 * place
        below |= {ten: value, f"{ten} et un": value + 1}
        below |= {f"{ten} {unit}": value + 2 + one for one, unit in enumerate(ones[1:9])}
    below |= {f"soixante {unit}": 70 + one for one, unit in enumerate(ones[9:])} | {"soixante et onze": 71}
    below |= {f"quatre vingt {unit}": 81 + one for one, unit in enumerate(ones)}
    below |= {"quatre vingts": 80, "quatre vingt": 80}
    hundreds = _counted([["cent"], *([f"{unit} cent", f"{unit} cents"] for unit in ones[1:9])], 100, below, " ")
    thousands = _counted([["mille"], *([f"{unit} mille"] for unit in ones[1:9])], 1000, below | hundreds, " ")
    return {words: value for words, value in (below | hundreds | thousands).items() if value > 1}


def _spanish() -> Numbers:
    ones = _SPANISH.split()
    below = {word: 1 + place for place, word in enumerate(ones)}
    for place, ten in enumerate(_SPANISH_TENS):
        value = 30 + 10 * place
        below[ten] = value
        below |= {f"{ten} y {unit}": value + 1 + one for one, unit in enumerate(ones[:9])}
    hundreds = _counted([[word] for word in _SPANISH_HUNDREDS.split()], 100, below, " ")
    thousands = _counted(
        [["mil"], *([f"{unit} mil"] for unit in ones[1:9])], 1000, below | hundreds | {"cien": 100}, " "
    )
    return below | hundreds | thousands | {"cien": 100}
