# ruff: noqa: RUF001 - this file handles the marks of many scripts
"""Where punctuation goes and where it does not, given the pauses between words. Pure text; no audio, no models.

Source: the GPA paper, section on data curation: a comma at pauses of at least 300 ms, no punctuation where the
pause is shorter than 50 ms. What must not change (abbreviations, numbers, hyphens, quotations, brackets), phrases
without commas, the evidence of other writings and the repair of capitals are our own.

A text is cut into words and the gaps around them, so that joining them restores the text exactly:

    "Well, e.g. cold-hearted."  ->  words ["Well", "e.g", "cold-hearted"], gaps ["", ", ", ". ", "."]
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from curation.manifests.records import Edit
from curation.text.languages import writing_of
from curation.text.phrases import inside_phrase, is_subject, opens_clause

SENTENCE_MARKS = ".?!…。？！"
MARKS = SENTENCE_MARKS + ",;:，、；：،؛؟।"
"""Marks that are removed where there is no pause."""
DASHES = "-–—―‒〜～"
CLOSERS = "\"'”’»)]}」』）】》"
BRACKETS = "()[]{}（）【】《》"
QUOTES = "\"'“”‘’„«»「」『』¿¡"
SYMBOLS_AFTER = re.compile(rf"(?:[%％‰°]|\s?[%％‰°€$£¥](?=\s)|[^\s{re.escape(BRACKETS + QUOTES)}]+(?=\s))+")
"""What belongs to the word before in a gap: a unit, apart from it or not, and what touches it and nothing else."""
WIDE_COMMAS = "，、"
"""They are as wide as a character, and have their space in them."""
ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof capt lt sgt maj sen st mt jr sr esq inc ltd corp dept univ ave blvd rd nos vol vols figs
    eds pp cf vs etc approx hrs jan feb apr jun jul aug sep sept oct nov dec tue tues wed thu thur thurs fri hr
    bzw usw evtl bspw nr sra dra mme mlle rev hon gen col gov rep pres ft co al est ca mon mar fr
    """.split()  # noqa: SIM905 - one word per line would take a page
)
"""Words that keep their full stop (lower case). Initials and words with inner full stops keep theirs too."""
NUMBERED = frozenset({"no", "fig", "sec", "art"})
"""Abbreviations before a number; elsewhere they are ordinary words (lower case)."""
CAPITALISED = frozenset(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august
    september october november december mr mrs ms dr prof
    """.split()  # noqa: SIM905 - one word per line would take a page
)
"""Written with a capital wherever they stand (lower case). `may` is left out: it is a verb more often."""


def _combining() -> str:
    r"""Vowel signs and accents of all scripts, as a regular expression class; `\w` lacks them."""
    codes = [code for code in range(0x300, 0x10000) if unicodedata.category(chr(code)).startswith("M")]
    starts = [code for code in codes if not unicodedata.category(chr(code - 1)).startswith("M")]
    ends = [code for code in codes if not unicodedata.category(chr(code + 1)).startswith("M")]
    return "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(starts, ends, strict=True))


_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER = rf"(?:(?![{_CJK}_])[\w{_combining()}])"
WORD = re.compile(
    r"(?:https?://|www\.)\S*[\w/]"  # addresses
    r"|[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"
    rf"|[{_CJK}]"  # a word of Chinese or Japanese is a character
    rf"|{_LETTER}+(?:[-'’.,:/&‐‑]{_LETTER}+)*"  # e.g, 3.14, 1,000, 10:30, cold-hearted, don't, R&B
)
CJK_WORD = re.compile(rf"[{_CJK}]")


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text in `words` and one more `gaps`: gaps[0] stands before the first word, gaps[-1] after the last."""

    words: list[str]
    gaps: list[str]

    def join(self) -> str:
        """The text."""
        return self.gaps[0] + "".join(word + gap for word, gap in zip(self.words, self.gaps[1:], strict=True))


def split(text: str) -> Pieces:
    """Cut a text into words and gaps; `split(text).join() == text` for every text."""
    words, gaps, end = [], [], 0
    for match in WORD.finditer(text):
        words.append(match.group())
        gaps.append(text[end : match.start()])
        end = match.end()
    return Pieces(words, [*gaps, text[end:]])


@dataclass(frozen=True, slots=True)
class Limits:
    """What decides on a mark."""

    insert_ms: float = 300
    """Shortest pause that gets a comma where a writing has a mark, or where no writing tells."""
    remove_ms: float = 50
    """Pause below which a mark is removed."""
    unwritten_ms: float = 700
    """Shortest pause before a conjunction that gets a comma where no writing has a mark."""
    keep_share: float = 0.6
    """Share of the writings from which a mark stays whatever the pause."""

    def wants(self, pause: float, share: float | None, following: str, language: str) -> bool:
        """Whether a pause outside a phrase gets a comma."""
        if share == 0:
            return pause >= max(self.insert_ms, self.unwritten_ms) and opens_clause(following, language)
        return pause >= self.insert_ms

    def drops(self, pause: float, share: float | None, *, inside: bool, subject: bool) -> bool:
        """Whether a mark is removed: without a pause, or inside a phrase; never one that most writings have.

        A mark before a subject stays where any writing has it: there a clause begins.
        """
        if share is None:
            return pause < self.remove_ms
        return share < self.keep_share and (inside or (pause < self.remove_ms and not subject))


PAPER = Limits()


def refine(
    text: str,
    pauses_ms: Sequence[float | None],
    *,
    language: str = "",
    limits: Limits = PAPER,
    shares: Sequence[float | None] = (),
    evidence: Sequence[str] = (),
) -> tuple[str, list[Edit]]:
    """Insert and remove punctuation by the pauses, and repair the capital after a removed full stop.

    `pauses_ms[i]` is the pause after word i of `split(text)`, None where it is unknown; a pause after the last word
    is ignored. `shares[i]` is the share of other writings with a mark after word i (`written.mark_shares`), None or
    left out where none tells. `evidence` are other transcripts of the same speech, which distinguish names from
    sentence starts. Returns the new text and its edits in order, see `replay`. Raises ValueError when the pauses do
    not fit the words.
    """
    pieces = split(text)
    if len(pauses_ms) < len(pieces.words) - 1:
        msg = f"{len(pieces.words)} words need {len(pieces.words) - 1} pauses, got {len(pauses_ms)}"
        raise ValueError(msg)
    comma = writing_of(language).comma
    forms = mid_sentence_forms([text, *evidence])
    edits = []
    for index, (before, following) in enumerate(pairwise(pieces.words)):
        pause, share = pauses_ms[index], shares[index] if shares else None
        if pause is None:
            continue
        gap, inside = pieces.gaps[index + 1], inside_phrase(before, following, language)
        if not inside and limits.wants(pause, share, following, language) and (new := with_comma(gap, comma)) != gap:
            edits.append(Edit("insert", gap, new, index, pause))
        subject = is_subject(following, language)
        if limits.drops(pause, share, inside=inside, subject=subject) and (new := without_marks(pieces, index)) != gap:
            edits.append(Edit("remove", gap, new, index, pause))
            if ends_sentence(gap) and not ends_sentence(new) and not keeps_capital(following, forms, language):
                edits.append(Edit("recase", following, following[0].lower() + following[1:], index + 1, pause))
    refined = replay(text, edits)
    # Without its mark, "and./or" would become one word; such recognition artefacts stay unchanged.
    return (refined, edits) if len(split(refined).words) == len(pieces.words) else (text, [])


def replay(text: str, edits: Sequence[Edit]) -> str:
    """Apply edits to the text they were made from. Raises ValueError when they do not belong to it."""
    return _apply(text, [(edit, edit.before, edit.after) for edit in edits])


def revert(text: str, edits: Sequence[Edit]) -> str:
    """The text before the edits: `revert(replay(text, edits), edits) == text`."""
    return _apply(text, [(edit, edit.after, edit.before) for edit in edits])


def _apply(text: str, changes: Sequence[tuple[Edit, str, str]]) -> str:
    pieces = split(text)
    for edit, old, new in changes:
        row, at = (pieces.words, edit.position) if edit.kind == "recase" else (pieces.gaps, edit.position + 1)
        if at >= len(row) or row[at] != old:
            msg = f"edit {edit} does not belong to the text {text!r}"
            raise ValueError(msg)
        row[at] = new
    return pieces.join()


def with_comma(gap: str, comma: str) -> str:
    """The gap with a comma after what belongs to the word before: quotes and brackets that close, symbols (5 %, C++).

    Unchanged where a mark, dash or bracket is, and where the symbol of a unit or an operation joins both words: 20 °C.
    """
    if any(char in MARKS or char in DASHES for char in gap):
        return gap
    at = len(gap) - len(gap.lstrip(CLOSERS))
    if after := SYMBOLS_AFTER.match(gap, at):
        at = after.end()
    rest = gap[at:]
    joins = gap.endswith("°") or (rest and not any(char.isspace() or char in QUOTES for char in rest))
    if joins or any(char in BRACKETS for char in rest):
        return gap
    return gap[:at] + comma + (rest.lstrip(" ") if comma in WIDE_COMMAS else rest)


def without_marks(pieces: Pieces, index: int) -> str:
    """The gap after word `index` without its marks; unchanged where a pause must not decide.

    Unchanged: marks beside quotes, brackets and dashes; between two numbers; the full stop of an abbreviation; and
    question and exclamation marks that close an ¿ or ¡.
    """
    gap, before, after = pieces.gaps[index + 1], pieces.words[index], pieces.words[index + 1]
    if any(char in QUOTES or char in BRACKETS or char in DASHES for char in gap):
        return gap
    if before[-1].isdecimal() and after[0].isdecimal():
        return gap
    kept = "?!" if any("¿" in text or "¡" in text for text in pieces.gaps) else ""
    stop = "." if gap.startswith(".") and not gap.startswith("..") and is_abbreviation(before, after) else ""
    rest = stop + "".join(char for char in gap[len(stop) :] if char not in MARKS or char in kept)
    if rest == gap or rest.strip():
        return rest
    return "" if CJK_WORD.match(before) and CJK_WORD.match(after) else " "


def is_abbreviation(word: str, following: str) -> bool:
    """Whether the full stop after this word belongs to the word: Mr, etc, the J of J. Smith, e.g of e.g., No. 5."""
    if word.lower() in NUMBERED:
        return following[0].isdecimal()
    return word.lower() in ABBREVIATIONS or (len(word) == 1 and word.isalpha()) or "." in word


def ends_sentence(gap: str) -> bool:
    """Whether the gap ends a sentence."""
    return any(char in SENTENCE_MARKS for char in gap)


def mid_sentence_forms(writings: Sequence[str]) -> Counter[str]:
    """Counts of each word's forms inside sentences. Texts in a single case are no evidence."""
    forms: Counter[str] = Counter()
    for writing in writings:
        if writing in {writing.lower(), writing.upper()}:
            continue
        pieces = split(writing)
        pairs = zip(pieces.words[1:], pieces.gaps[1:-1], strict=True)
        forms.update(word for word, gap in pairs if not ends_sentence(gap))
    return forms


def keeps_capital(word: str, forms: Counter[str], language: str) -> bool:
    """Whether a word keeps its form where it no longer starts a sentence.

    It does when it is more than an initial capital (acronym, mixed case, digits), is I or a contraction of it, or a
    title, day or month. Otherwise the evidence decides: inside a sentence, is the word written with a capital (a
    name) or without? Without any evidence it counts as an ordinary word, as most words that start a sentence are; in
    German, where nouns have capitals, it is unchanged.
    """
    stem = re.split("['’]", word)[0]
    if word[1:] != word[1:].lower() or not word[0].isupper() or stem == "I" or stem.lower() in CAPITALISED:
        return True
    lowered = word[0].lower() + word[1:]
    if forms[word] or forms[lowered]:
        return forms[word] > forms[lowered]
    return language.partition("-")[0].lower() == "de"
