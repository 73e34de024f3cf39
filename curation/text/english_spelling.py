# ruff: noqa: RUF001 - dashes
"""English words as they are spoken, where the way they are written says it otherwise: ranges and Roman numerals.

"5-10" is five to ten, "Chapter IV" chapter four, "Henry VIII" Henry the eighth. What is read otherwise stays: the
telephone number 555-1234, the score 3-2, 9-1-1, and letters that are no numeral there ("the part I like").
"""

import re
from collections.abc import Sequence

RANGE = re.compile(
    r"(?<![\w.,:/-])(?P<sign>[$£€¥₹]?)(?P<low>\d+(?:,\d{3})*(?:\.\d+)?)(?P<same>%?)[-–—](?P<mark>[$£€¥₹]?)"
    r"(?P<high>\d+(?:,\d{3})*(?:\.\d+)?)(?![\d:/]|[-–—]\d)"
)
ROMAN = re.compile(r"(?=.)(x{0,3})(ix|iv|v?i{0,3})")
ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)|.*(?:first|second|third|fifth|eighth|ninth|twelfth|[nxr]th|ieth)")
"""First, 42nd, twenty-fifth."""
NUMBERED = frozenset("chapter part act scene war volume vol book type phase stage title section bowl grade".split())  # noqa: SIM905
"""Words that a Roman numeral numbers."""
RULERS = frozenset(
    """
    henry louis charles george james edward william elizabeth richard mary pius benedict leo gregory innocent clement
    napoleon catherine philip ferdinand alexander nicholas frederick wilhelm ivan peter francis paul ramses ptolemy
    darius xerxes urban boniface otto leopold joseph harald gustav christian umberto
    """.split()  # noqa: SIM905 - one word per line would take a page
)
"""Names of rulers and popes that are counted."""


def as_spoken(words: Sequence[str]) -> list[str]:
    """Words in lower case, in order; one that stands for several has spaces in it."""
    cores = [word.strip(".,;:?!\"'()") for word in words]
    spoken = []
    for place, (word, core) in enumerate(zip(words, cores, strict=True)):
        before = cores[max(0, place - 2) : place]
        numeral = "street" if core == "st" and _is_street(word, before, words[place + 1 :]) else _numeral(core, before)
        spoken.append(word.replace(core, numeral, 1) if numeral else RANGE.sub(_range, word))
    return spoken


def _is_street(word: str, before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether "St." is no saint: behind an ordinal (5th St.), or at the end of a part (on Main St., ...)."""
    return bool(before) and (ORDINAL.fullmatch(before[-1]) is not None or not after or word[-1] in ",;:?!")


def _numeral(core: str, before: Sequence[str]) -> str:
    """A Roman numeral behind two other words as figures; empty where there is none."""
    match = ROMAN.fullmatch(core)
    if match is None or not before or (core == "i" and list(before) != ["world", "war"]):
        return ""
    value = 10 * len(match[1]) + {"ix": 9, "iv": 4}.get(match[2], 5 * ("v" in match[2]) + match[2].count("i"))
    if before[-1] in RULERS:
        return f"the {value}{'th' if 3 < value < 21 else {1: 'st', 2: 'nd', 3: 'rd'}.get(value % 10, 'th')}"
    return str(value) if before[-1] in NUMBERED else ""


def _range(match: re.Match[str]) -> str:
    """From the lower to the higher; a unit that stands on the first counts for both."""
    low, high = match["low"], match["high"]
    short = len(low) == 4 and len(high) == 2 and int(low) % 100 < int(high)  # 1990-95
    telephone = len(low) == 3 and len(high) == 4 and low.isdecimal() and high.isdecimal()
    rising = float(low.replace(",", "")) < float(high.replace(",", ""))
    if telephone or not (rising or short) or (low[0] == "0" and len(low) > 1 and low[1] != "."):
        return match.group()
    return f"{low} to {match['mark'] or match['sign']}{high}" + ("%" if match["same"] and not _marked(match) else "")


def _marked(match: re.Match[str]) -> bool:
    return match.string[match.end() : match.end() + 1] == "%"
