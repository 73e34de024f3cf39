# ruff: noqa: RUF001 - quotation marks and minus signs
"""English as it is compared: each written word, or several that form one number, with its normal form.

Words: the normaliser of the Whisper paper (appendix C), as implemented by the whisper-normalizer package, word by word;
it spells out contractions and titles and unifies British and American spelling. Abbreviations that it leaves are added.
Numbers: values (`curation.text.english_numbers`) with currency, percent, ordinal, clock time and fraction. Whole
numbers are then compared digit by digit, because ASR systems differ in how they join them ("763" or "7, 6, 3").
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import pairwise, zip_longest

from curation.text.english_quantities import CURRENCY_MARKS, Atom, Reader, Tokens
from curation.text.english_spelling import as_spoken
from curation.text.figures import FRACTIONS

Read = tuple[int, Tokens, bool]
"""How many written words, what is compared of them, and whether they hold a number."""

SIGNS = str.maketrans(
    FRACTIONS
    | {sign: f"^{unicodedata.normalize('NFKC', sign)}" for sign in "⁰¹⁴⁵⁶⁷⁸⁹"}
    | dict.fromkeys("’‘‛ʼ`´′", "'")
    | {"\u2044": "/", "²": " squared", "³": " cubed", "№": "no. "}
)
"""What compatibility forms (NFKC) would take for further figures, and apostrophes."""
PAIRS = (
    (re.compile(r"(?<![a-z])(?:km/h|kmh)\b"), "kph"),
    (re.compile(r"°c\b"), "° celsius"),
    (re.compile(r"°f\b"), "° fahrenheit"),
)
"""Units of two parts."""
LONG = re.compile(r"\d{300}")
"""No number anybody says; Python does not read such as one."""
ATOM = re.compile(
    r"(?P<number>\d{1,2}:[0-5]\d(?!\d)|\d+(?:,\d+){0,30}(?:\.\d+)?|(?<!\d)\.\d+)"
    r"|(?:[a-z]\.){2,}|no\.(?!\w)|[^\W\d_]+(?:'[^\W\d_]+)*|[$£€¥₹¢%/+#°=×*÷^]"
    r"|(?:(?<![^\s(\"'$£€¥₹])-|−)(?=[$£€¥₹.\d])"
)
WORDS = {
    "&": "and",
    "oh": "oh",  # a zero there, wherever it stands
    "o": "o",
    "ii": "2",  # World War II
    "iii": "3",
    "ok": "okay",
    "o.k": "okay",
    "cannot": "can not",
    "shan't": "shall not",
    "gimme": "give me",
    "lemme": "let me",
    "outta": "out of",
    "cuz": "because",
    "em": "them",
    "etcetera": "et cetera",
    "donut": "doughnut",
    "whiskey": "whisky",
    "skillful": "skilful",
    "acknowledgement": "acknowledgment",
    "a.m": "am",
    "p.m": "pm",
    "ph.d": "phd",
    "vs": "versus",
    "mt": "mount",
    "sgt": "sergeant",
    "ave": "avenue",
    "blvd": "boulevard",
    "inc": "incorporated",
    "ltd": "limited",
    "corp": "corporation",
    "dept": "department",
    "approx": "approximately",
    "etc": "et cetera",
    **{name[:3]: name for name in ("january", "february", "april", "august", "october", "november", "december")},
    "sept": "september",
}
"""Abbreviations that whisper-normalizer leaves, without the last full stop."""
AND = re.compile(r"(?<=[^\W\d_])\.?&(?=[^\W\d_])")
"""Q&A is said as Q and A."""
NO_BRACKETS = str.maketrans(dict.fromkeys("[]<>(){}", " "))
"""Brackets that are left are no tags; whisper-normalizer searches the rest of a word behind each."""
ENDING = re.compile(r"'(?:s|d|ll|re|ve|m|t)\b")
"""A contraction that is written apart from its word."""
PERFECT = frozenset({"been", "gone", "done", "got"})
"""Words before which 'd and 's are had and has, by whisper-normalizer."""


@dataclass(frozen=True, slots=True)
class _Item:
    """A number, or another single atom, and the words that it reaches over."""

    text: str
    """Its first atom."""
    tokens: Tokens | None
    """Of a number, and of what is read otherwise beside one; a word that has neither is compared as it is."""
    first: int
    last: int
    numeric: bool
    """A number, but not one that belongs to a name, like that of MP3."""

    def read(self) -> Tokens:
        """What is compared of it in a word that is read item by item."""
        if self.tokens is None:
            return _word_tokens(self.text, "") if any(sign.isalpha() for sign in self.text) else ()
        return self.tokens


def read_english(words: Sequence[str]) -> list[Read]:
    """What is compared of written words (split at spaces), in order. Neighbours that form numbers are read together."""
    plain = as_spoken([_lower(word) for word in words])
    items = _items([atom for place, word in enumerate(plain) for atom in _atoms(word, place)])
    starting: dict[int, list[_Item]] = defaultdict(list)
    joined = {place - 1 for place, word in enumerate(plain) if place and word[:1] == "'" and ENDING.match(word)}
    for item in items:
        starting[item.first].append(item)
        joined.update(range(item.first, item.last))
    for one, other in pairwise(items):
        if one.numeric and other.numeric:
            joined.update(range(one.last, other.first))
    read, start = [], 0
    for place in range(len(plain)):
        if place not in joined:
            group = [item for word in range(start, place + 1) for item in starting[word]]
            if any(item.tokens is not None for item in group):
                tokens = tuple(token for item in group for token in item.read())
            else:
                following = plain[place + 1] if place + 1 < len(plain) else ""
                tokens = _word_tokens("".join(plain[start : place + 1]), following)
            read.append((place + 1 - start, tokens, any(item.numeric for item in group)))
            start = place + 1
    return read


def _lower(word: str) -> str:
    lower = unicodedata.normalize("NFKC", word.translate(SIGNS)).lower()
    if not lower.isascii():
        lower = "".join(sign for sign in lower if unicodedata.category(sign) != "Cf")  # soft hyphens and the like
    if "/h" in lower or "kmh" in lower or "°" in lower:
        for written, spoken in PAIRS:
            lower = written.sub(spoken, lower)
    return LONG.sub(r"\g<0> ", re.sub(r"(?<=\d)'(?=s\b)", "", lower))


def _atoms(word: str, place: int) -> list[Atom]:
    found = list(ATOM.finditer(word))
    return [
        Atom(match.group().replace(",", ""), place, index > 0 and match.start() == found[index - 1].end())
        for index, match in enumerate(found)
    ]


def _items(atoms: Sequence[Atom]) -> list[_Item]:
    reader = Reader(atoms)
    items: list[_Item] = []
    at = 0
    while at < len(atoms):
        atom, found = atoms[at], reader.number(at)
        behind = items[-1].tokens if items and items[-1].numeric else None
        tokens, end = found or (reader.beside_number(at, behind), at + 1)
        name = atom.glued and atoms[at - 1].text.isalpha()
        items.append(_Item(atom.text, tokens, atom.word, atoms[end - 1].word, bool(found) and not name))
        at = end
    return [_without_unit(*three) for three in zip_longest(items, items[1:], items[2:])]


def _without_unit(item: _Item, to: _Item | None, upper: _Item | None) -> _Item:
    """A unit that stands on both ends of a range stands on the upper: $5 to $10, 10% to 15%."""
    if to is None or upper is None or to.text != "to" or not item.tokens or not upper.tokens:
        return item
    low, high = item.tokens[-1], upper.tokens[-1]
    bare = low[:-1] if low[-1] == high[-1] == "%" else low
    bare = low[1:] if low[0] == high[0] and low[0] in CURRENCY_MARKS else bare
    return item if bare == low else replace(item, tokens=tuple(bare) if bare.isdecimal() else (bare,))


@lru_cache(maxsize=100_000)
def _word_tokens(word: str, following: str) -> Tokens:
    """A word without numbers; `following` is the next, which tells "he'd been" from "he'd be"."""
    core = word.strip(".,;:?!\"'()-")
    if word == "&" or core in WORDS:
        return tuple(WORDS[core or word].split())
    word = AND.sub(" and ", word).translate(NO_BRACKETS)
    perfect = word.endswith(("'d", "'s")) and following.strip('.,;:?!"') in PERFECT
    tokens = _whisper()(f"{word} {following}" if perfect else word).split()
    # It leaves a lone mark where a text ends in "..." or "$", and writes a single 1 as "one".
    kept = ["1" if one == "one" else one for one in tokens if any(sign.isalnum() for sign in one)]
    return tuple(kept[:-1] if perfect else kept)


@cache
def _whisper() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    normalizer: Callable[[str], str] = EnglishTextNormalizer()
    return normalizer
