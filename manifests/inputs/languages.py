"""Languages as manifests write them: a name, an ISO 639 code of two or three letters, or a BCP 47 tag."""

from functools import lru_cache

import langcodes

UNKNOWN = frozenset({"", "und", "mul", "mis", "zxx", "none", "null", "nan", "n/a", "unknown", "auto"})
"""These mean: to be identified. (Min Nan, whose ISO 639-3 code is `nan` too, is written `nan-TW`.)"""
_AS_MODELS_SAY = {
    "fil": "tl",
    "nb": "no",
    "jv": "jw",
    "jvn": "jw",
    "ak": "tw",
    "fuv": "ff",
    "zlm": "ms",
    "pbt": "ps",
    "pst": "ps",
    "quy": "qu",
}
"""Standard codes of languages that the models of this field know by another one."""

_IN_CHINESE = {
    **dict.fromkeys(("汉语", "漢語", "华语", "華語", "国语", "國語"), "zh"),
    **dict.fromkeys(("粤语", "粵語", "广东话", "廣東話"), "yue"),
}
"""Names that `langcodes` does not know."""

_NEWER = frozenset({"tok"})
"""Codes that `langcodes` does not know yet: of Common Voice, Toki Pona."""


@lru_cache(maxsize=10_000)
def language_code(written: str) -> str:
    """The code that this software uses: ISO 639-1 where there is one; empty where the language is to be identified.

    Raises ValueError, without a remedy, for what is no language.
    """
    text = written.strip()
    if text.lower() in UNKNOWN:
        return ""
    tag = text if text.lower() in _NEWER else _IN_CHINESE.get(text) or _from_tag(text) or _from_name(text)
    if not tag:
        msg = f"{written!r} is no language"
        raise ValueError(msg)
    code = langcodes.Language.get(langcodes.standardize_tag(tag, macro=True)).language or ""
    return "" if code in UNKNOWN and code != "nan" else _AS_MODELS_SAY.get(code, code)


def _from_tag(text: str) -> str:
    """The text, if it is a tag with a language that exists; else empty."""
    try:
        return text if langcodes.tag_is_valid(text) and not _is_private(text) else ""
    except ValueError:
        return ""


def _is_private(text: str) -> bool:
    """Codes from qaa to qtz stand for no language."""
    return "qaa" <= text[:3].lower() <= "qtz"


def _from_name(text: str) -> str:
    """The tag of a language by its name, in whatever language that is written; else empty."""
    try:
        return langcodes.find(text).to_tag() if len(text) > 3 or not text.isascii() else ""
    except LookupError:
        return ""
