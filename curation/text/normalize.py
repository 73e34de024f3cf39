"""Text normalisation before words are compared, by language.

English: the normaliser of the Whisper paper (appendix C), as implemented by the whisper-normalizer package; it spells
out contractions and titles, writes numbers as digits and unifies British and American spelling. Numbers are then
compared digit by digit: it joins the words "seven six three" to 763 but leaves "7, 6, 3" apart, and ASR systems differ
in which they write, so that strings of digits would never agree. Other languages: Unicode normalisation of our own,
because Whisper's basic one deletes combining marks and so the vowels of Indic, Thai and Burmese (openai/whisper
discussion 2849). Neither unifies numbers outside English.

A language with two scripts is compared in one. Chinese: a traditional character, its variants of Taiwan and Hong Kong,
and the simplified one count as the same (OpenCC's tables, character by character). Serbian and Bosnian: Cyrillic as
Latin. Persian and Urdu: the Arabic forms of yeh and kaf, which keyboards write, as their own.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

Unit = Literal["word", "character"]

CHARACTER_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo"})
"""Written without spaces between words, so errors are counted in characters. Korean has spaces: words."""
CHINESE, SERBIAN, PERSIAN = frozenset({"zh", "yue"}), frozenset({"sr", "bs", "sh"}), frozenset({"fa", "ur"})
LATIN = str.maketrans(
    dict(zip("абвгдђежзијклмнопрстћуфхцчш", "abvgdđežzijklmnoprstćufhcčš", strict=True))
    | {"љ": "lj", "њ": "nj", "џ": "dž"}
)
FARSI = str.maketrans({"\u064a": "\u06cc", "\u0649": "\u06cc", "\u0643": "\u06a9"})
IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x323AF))
"""First and last character of the blocks of Unicode, without those that NFKC replaces."""


def clean_unicode(text: str) -> str:
    """Lower case (casefold), compatibility forms unified (NFKC), decimal digits as 0-9, marks kept.

    Punctuation and symbols become spaces. Format characters (soft hyphen, joiners, direction marks) disappear: systems
    write them inconsistently.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(_clean_character(character) for character in folded).split())


def _clean_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Cf":
        return ""
    return " " if category[0] in "PSZC" else character


@dataclass(frozen=True, slots=True)
class Normalizer:
    """How texts of one language are compared: `name` and `unit` go into the record."""

    name: str
    unit: Unit
    clean: Callable[[str], str]
    key: Callable[[str], str] = clean_unicode
    """What is compared of a word (or character) alone, where texts are combined word by word."""

    def units(self, text: str) -> list[str]:
        """The words (or characters) of a text that count when it is compared."""
        words = self.clean(text).split()
        return words if self.unit == "word" else list("".join(words))


@cache
def normalizer_for(language: str) -> Normalizer:
    """The normaliser of a language (ISO 639-1 code; unknown ones are taken as written in words)."""
    if language == "en":
        return Normalizer("whisper-english", "word", _whisper_english())
    unit: Unit = "character" if language in CHARACTER_LANGUAGES else "word"
    if language not in CHINESE | SERBIAN | PERSIAN:
        return Normalizer("unicode", unit, clean_unicode)
    forms = _simplified() if language in CHINESE else LATIN if language in SERBIAN else FARSI

    def clean(text: str) -> str:
        return clean_unicode(text).translate(forms)

    return Normalizer("unicode-one-script", unit, clean, clean)


@cache
def _simplified() -> dict[int, str]:
    """The simplified form of each character that has another one."""
    from opencc import OpenCC

    every = [chr(code) for first, last in IDEOGRAPHS for code in range(first, last + 1)]
    forms = "\n".join(every)  # characters alone: what one stands for in a phrase must not depend on its neighbours
    for table in ("hk2s", "tw2s", "t2s"):
        forms = OpenCC(table).convert(forms)
    return {ord(one): form for one, form in zip(every, forms.split("\n"), strict=True) if one != form}


LEADING_ZERO = re.compile(r"(?<![\d.,])0\d+(?![.,]?\d)")
"""Digits that are not a quantity; the package would drop their zeros."""


def _whisper_english() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    english: Callable[[str], str] = EnglishTextNormalizer()

    def clean(text: str) -> str:
        apart = LEADING_ZERO.sub(lambda digits: " ".join(digits[0]), unicodedata.normalize("NFKC", text))
        words = (_digits_apart(word) for word in english(apart).split())
        # It leaves a lone mark where a text ends in "..." or "$".
        return " ".join(word for word in words if any(character.isalnum() for character in word))

    return clean


def _digits_apart(word: str) -> str:
    """A number as its digits; it writes a single 1 as "one", every other digit as a digit."""
    return "1" if word == "one" else " ".join(word) if word.isdecimal() else word
