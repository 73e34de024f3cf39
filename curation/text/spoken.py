"""Text as it is spoken: numbers, dates, money and abbreviations in words, before a model says it.

    spoken("Dr. Smith paid $4.50.")  # doctor Smith paid four point five dollars.

English, Mandarin and Japanese by the rules of WeTextProcessing (its package `wetext`, which needs no Pynini); other
languages stay as they are written, and so does what the rules cannot read.
"""

import logging
import re
from functools import cache
from typing import Any

from curation.core.errors import DataError

log = logging.getLogger(__name__)

LANGUAGES = ("en", "zh", "ja")
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_TO_RULES = str.maketrans({'"': "\u201d", "[": "(", "{": "(", "]": ")", "}": ")", "\\": " "})
"""The rules' own format uses these; brackets sound alike, and the quotation marks return."""


def spoken(text: str, language: str = "") -> str:
    """Spell out a sentence or a few. White space becomes single spaces.

    `language`: a code of ISO 639-1; empty: by the script, where Latin letters are read as English; a text in any
    other script stays as it is written. Raises DataError for a text with halves of characters (lone surrogates), as
    bytes of an argument that are no UTF-8 become.
    """
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        msg = f"{text[:40]!r} holds what is no character: give the text in UTF-8"
        raise DataError(msg)
    chosen = language.partition("-")[0].lower() or _by_script(text)
    words = text.split()
    if chosen not in LANGUAGES or not words:
        return " ".join(words)
    whole = _spelled(" ".join(words), chosen)
    if whole is None:  # some word of it is beyond the rules: the others are not
        log.warning("%r is beyond the rules of %s text: spelled out word by word", text, chosen)
        whole = " ".join(_spelled(word, chosen) or word for word in words)
    return whole


def _by_script(text: str) -> str:
    if _KANA.search(text):
        return "ja"
    if _HAN.search(text):
        return "zh"
    letters = sum(map(str.isalpha, text))
    return "en" if 2 * len(_LATIN.findall(text)) >= letters else ""


def _spelled(text: str, language: str) -> str | None:
    """None where the rules have no reading, which they say by an assertion."""
    known = " ".join(text.translate(_TO_RULES).split())
    try:
        said = str(_rules(language).normalize(known)) or text
    except AssertionError:
        return None
    return said if text.count("\u201d") else said.replace("\u201d", '"')


@cache
def _rules(language: str) -> Any:
    """The rules of a language; they may be used by several threads."""
    from wetext import Normalizer  # reads 20 MB

    return Normalizer(lang=language, operator="tn")
