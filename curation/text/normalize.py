# ruff: noqa: RUF001 - full-width letters
"""Text normalisation before words are compared, by language: one segmentation for the comparison and for the vote.

A text is cut into spans; each holds what is written and what is compared of it, so that what wins a vote is always
written as a system wrote it. A number is one span, however many words it has: its parts mean nothing apart.

English: see `curation.text.english`. Other languages: Unicode normalisation of our own, because Whisper's basic one
deletes combining marks and so the vowels of Indic, Thai and Burmese (openai/whisper discussion 2849); numbers of
Chinese and Japanese are values too (`curation.text.chinese_numbers`), and number words of German, French and Spanish
are compared in digits (`curation.text.number_words`). Of the others, figures are read (`curation.text.figures`).

A language with two scripts is compared in one. Chinese: a traditional character, its variants of Taiwan and Hong Kong,
and the simplified one count as the same (OpenCC's tables, character by character). Serbian and Bosnian: Cyrillic as
Latin. Persian and Urdu: the Arabic forms of yeh and kaf, which keyboards write, as their own.

Tags of what is not speech ("[MUSIC PLAYING]", "(laughs)") are no words in any language.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import chain, pairwise, zip_longest
from typing import Literal

from curation.text.chinese_numbers import find_numbers
from curation.text.english import read_english
from curation.text.figures import APART, HAS_FIGURES, read_figures
from curation.text.languages import writing_of
from curation.text.number_words import number_words

Unit = Literal["word", "character"]

LATIN = str.maketrans(
    dict(zip("абвгдђежзијклмнопрстћуфхцчш", "abvgdđežzijklmnoprstćufhcčš", strict=True))
    | {"љ": "lj", "њ": "nj", "џ": "dž"}
)
FARSI = str.maketrans({"\u064a": "\u06cc", "\u0649": "\u06cc", "\u0643": "\u06a9"})
IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x323AF))
"""First and last character of the blocks of Unicode, without those that NFKC replaces."""
TAG = re.compile(
    r"\[[^\[\]\d]*\]|\([^()\d]*\)|<[^<>\d]*>|\{[^{}\d]*\}|\*[^*\d]+\*"
    r"|\uff08[^\uff08\uff09\d]*\uff09|\u3010[^\u3010\u3011\d]*\u3011|\uff3b[^\uff3b\uff3d\d]*\uff3d|[\u2669-\u266f]+"
)
"""Brackets with digits hold what was said, as in "(555) 1234"."""
DEPTH = 3
"""Of tags in tags."""
MOST_MARKS = 30
"""That compose with a character, by Unicode's stream-safe format."""


LETTER = re.compile("[A-Za-zÀ-ɏͰ-ӿＡ-Ｚａ-ｚ]")
"""Of the scripts whose words stand in texts without spaces: Latin, Greek and Cyrillic."""
FOREIGN_OR_ONE = re.compile(f"{LETTER.pattern}+(?:['’]{LETTER.pattern}+)*|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """One or more whole written words (or characters) that are compared, and win or lose a vote, together."""

    written: str
    tokens: tuple[str, ...]
    """What is compared; empty for words that do not count, such as "um"."""
    key: tuple[str, ...]
    """What votes: the tokens, or the word that does not count."""
    number: bool = False


def merged(spans: Sequence[Span], join: str) -> Span:
    """Neighbours as one span."""
    return Span(
        join.join(span.written for span in spans),
        tuple(token for span in spans for token in span.tokens),
        tuple(word for span in spans for word in span.key),
        any(span.number for span in spans),
    )


@dataclass(frozen=True, slots=True)
class Normalizer:
    """How texts of one language are compared: `name` and `unit` go into the record."""

    name: str
    unit: Unit
    spans: Callable[[str], Sequence[Span]]
    """The segmentation of a text without tags; joined with `join`, what is written is the text."""

    @property
    def join(self) -> str:
        """What stands between two spans."""
        return "" if self.unit == "character" else " "

    def joined(self, written: Iterable[str]) -> str:
        """A text of spans, which may come from several texts: foreign words do not run together."""
        parts = [part for part in written if part]
        between = [
            " " if not self.join and LETTER.match(one[-1]) and LETTER.match(other[0]) else self.join
            for one, other in pairwise(parts)
        ]
        return "".join(chain.from_iterable(zip_longest(parts, between, fillvalue="")))

    def units(self, text: str) -> list[str]:
        """The words (or characters) of a text that count when it is compared; a number counts by its digits."""
        return [token for span in self.spans(text) for token in span.tokens]

    def clean(self, text: str) -> str:
        """The units as a text."""
        return self.join.join(self.units(text))


@cache
def normalizer_for(language: str) -> Normalizer:
    """The normaliser of a language (ISO 639-1 code; unknown ones are taken as written in words)."""
    if language == "en":
        return Normalizer("whisper-english", "word", _english)
    clean, writing = cleaner_for(language), writing_of(language)
    name = "unicode-one-script" if writing.script else "unicode"
    if writing.numerals:
        return Normalizer(name, writing.unit, partial(_with_numbers, clean=clean))
    return by_piece(name, writing.unit, clean, language)


@cache
def cleaner_for(language: str) -> Callable[[str], str]:
    """What is compared of a text in another language than English, but for numbers: `clean_unicode`, in one script."""
    script = writing_of(language).script
    if not script:
        return clean_unicode
    forms = _simplified() if script == "simplified" else LATIN if script == "latin" else FARSI
    return lambda text: clean_unicode(text).translate(forms)


@cache
def _simplified() -> dict[int, str]:
    """The simplified form of each character that has another one."""
    from opencc import OpenCC

    every = [chr(code) for first, last in IDEOGRAPHS for code in range(first, last + 1)]
    forms = "\n".join(every)  # characters alone: what one stands for in a phrase must not depend on its neighbours
    for table in ("hk2s", "tw2s", "t2s"):
        forms = OpenCC(table).convert(forms)
    return {ord(one): form for one, form in zip(every, forms.split("\n"), strict=True) if one != form}


def by_piece(name: str, unit: Unit, clean: Callable[[str], str], language: str | None = None) -> Normalizer:
    """A normaliser that cleans each word (or character) without regard to its neighbours.

    With a language, its numbers are read, which may be several words.
    """
    numbers = number_words(language) if language else {}
    longest = max((len(words.split()) for words in numbers), default=1)

    def read(piece: str) -> _Piece:
        if language is not None and unit == "word" and HAS_FIGURES.search(piece):
            tokens = tuple(read_figures(piece, language, clean))
        else:
            tokens = _tokens(numbers.get(clean(piece), clean(piece)), unit)
        return piece, tokens, any(token[0].isdecimal() for token in tokens)

    def in_turn(pieces: Sequence[str]) -> Iterator[_Piece]:
        cleaned = [clean(piece) for piece in pieces] if longest > 1 else []
        at = 0
        while at < len(pieces):
            most = min(longest, len(cleaned) - at)
            most = next((count for count in range(1, most) if not pieces[at + count - 1][-1].isalnum()), most)
            count = next((count for count in range(most, 1, -1) if " ".join(cleaned[at : at + count]) in numbers), 1)
            yield read(" ".join(pieces[at : at + count]))
            at += count

    def spans(text: str) -> list[Span]:
        return _with_marks(in_turn(_pieces(without_tags(text), unit)), unit)

    return Normalizer(name, unit, spans)


def without_tags(text: str) -> str:
    """The text without tags of what is not speech; as it is where there are none."""
    for _ in range(DEPTH):
        if not TAG.search(text):
            break
        text = " ".join(TAG.sub(" ", text).split())
    return text


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


@lru_cache(maxsize=1000)
def _english(text: str) -> Sequence[Span]:
    """Kept for the vote, which reads each text again."""
    words = without_tags(text).split()
    read, at = [], 0
    for count, tokens, number in read_english(words):
        read.append((" ".join(words[at : at + count]), tokens, number))
        at += count
    return _with_marks(read, "word")


def _with_numbers(text: str, clean: Callable[[str], str]) -> list[Span]:
    """Characters; each number is one span."""
    text = without_tags(text)
    read: list[_Piece] = []
    at = 0
    for start, end, value in [*find_numbers(text), (len(text), len(text), "")]:
        between = _pieces(text[at:start], "character")
        read += [(piece, _tokens(clean(piece), "character"), False) for piece in between]
        if start < end:
            written, tokens = text[start:end], tuple(value) or _tokens(clean(text[start:end]), "character")
            if start == at and read and read[-1][2]:  # numbers side by side are one unit, as in English
                last = read.pop()
                written, tokens = last[0] + written, last[1] + tokens
            read.append((written, tokens, True))
        at = end
    return _with_marks(read, "character")


def _pieces(text: str, unit: Unit) -> list[str]:
    """Words at spaces; or characters, each with the marks that compose with it, and words of other scripts whole."""
    if unit == "word":
        return APART.findall(text)
    pieces: list[str] = []
    for piece in FOREIGN_OR_ONE.findall(" ".join(text.split())):
        if pieces and unicodedata.combining(piece[0]) and _composes(pieces[-1], piece):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def _composes(one: str, other: str) -> bool:
    return len(one) <= MOST_MARKS and unicodedata.normalize("NFKC", one + other) != one + other


def _tokens(cleaned: str, unit: Unit) -> tuple[str, ...]:
    return tuple(cleaned.split()) if unit == "word" else tuple(cleaned.replace(" ", ""))


_Piece = tuple[str, tuple[str, ...], bool]
"""What is written, what is compared of it, and whether it is a number."""


def _with_marks(pieces: Iterable[_Piece], unit: Unit) -> list[Span]:
    """Spans; marks that stand alone join the word before them."""
    join = "" if unit == "character" else " "
    spans: list[Span] = []
    for written, tokens, number in pieces:
        key = tokens or tuple(clean_unicode(written).split())
        if key or not spans:
            spans.append(Span(written, tokens, key, number))
        else:
            spans[-1] = merged([spans[-1], Span(written, (), ())], join)
    return spans
