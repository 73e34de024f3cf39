"""MFA's text normalisation: the words of a text as the dictionary has them.

Source: montreal_forced_aligner 3.4.3, tokenization/simple.py and data.py. Punctuation goes; text in brackets is one
noise; compounds and clitics are split where the dictionary has a part and not the whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from curation.stages.punctuate.mfa.direct.lexicon import CLITIC, CLITIC_MARKS, Lexicon

# ruff: noqa: RUF001 - punctuation of many languages
PUNCTUATION = '、。।，？！!@<>→"”()“„–,.:;—¿?¡：）|؟!\\&%#*،~【】，…‥「」『』〝〟″⟨⟩♪・‚‘‹›«»～′$+=‘۔―'
COMPOUND = "-‑/"
OPENING, CLOSING = "<[{(＜", ">]})＞"
MARKS = f"{CLITIC}’‘"
CUT_OFF = re.compile(
    rf"[{re.escape(OPENING)}](cutoff|hes(itation)?)([-_][^{re.escape(CLOSING)}]+)?[{re.escape(CLOSING)}]$",
    re.IGNORECASE,
)
BRACKETED = re.compile(rf"[{re.escape(OPENING)}].*?[{re.escape(CLOSING)}]+")
WORD_BREAKS = set(PUNCTUATION) - set(OPENING + CLOSING)
BREAKS = re.compile(rf"[\s{re.escape(''.join(sorted(WORD_BREAKS)))}]+")
INSIDE_BRACKETS = re.compile(
    rf"(?<!^)[\s{re.escape(''.join(sorted(WORD_BREAKS | set(MARKS + COMPOUND + '()|'))))}](?!$)"
)
ONLY_MARKS = re.compile(rf"[{re.escape(MARKS + COMPOUND)}]+$")
COMPOUNDS = re.compile(rf"(?<=\w)[{re.escape(COMPOUND)}](?:$|(?=\w))")
QUOTE = rf"[{re.escape(COMPOUND)}]*{CLITIC}[{re.escape(COMPOUND)}]*"
QUOTED = re.compile(rf"((?<=\W)|(?<=^)){QUOTE}(?P<word>[^{re.escape(MARKS + COMPOUND)}]+){QUOTE}((?=\W)|(?=$))")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the aligner: `text` as written (lower case), `entry` to look up; None: a noise in brackets."""

    text: str
    entry: str | None


class Normaliser:
    """Normalises texts by one dictionary."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._words = lexicon
        clitics = sorted(re.escape(word) for word in lexicon.clitics if word != CLITIC)
        first = [word for word in clitics if word.endswith(CLITIC)]
        last = [word for word in clitics if word.startswith(CLITIC)]
        self._first = re.compile(rf"^({'|'.join(first)})(?=\w)") if first else None
        self._last = re.compile(rf"(?<=\w)({'|'.join(last)})$") if last else None

    def tokens(self, text: str) -> list[Token]:
        """The words of a text, in order."""
        return [token for word in self._clean(text) for token in self._split(word)]

    def _clean(self, text: str) -> Iterator[str]:
        text = text.lower().replace("i\u0307", "i")  # Turkish
        for word in dict.fromkeys(BRACKETED.findall(text)):
            if not CUT_OFF.match(word) and word not in self._words:
                text = text.replace(word, INSIDE_BRACKETS.sub("_", word))
        text = CLITIC_MARKS.sub(CLITIC, text)
        if CLITIC in text:
            text = QUOTED.sub(r"\g<word>", text)
        return (word for word in BREAKS.split(text) if word and not ONLY_MARKS.match(word))

    def _split(self, word: str) -> list[Token]:
        if word in self._words:
            return [Token(word, word)]
        if BRACKETED.match(word):
            return [Token(word, None)]
        return [Token(part, part) for part in self._parts(word)]

    def _parts(self, word: str) -> list[str]:
        """The parts of a compound and their clitics, where that finds an entry; else the word."""
        parts: list[str] = []
        useful = False
        for part in filter(None, COMPOUNDS.split(word)):
            bare = part.removeprefix(CLITIC) if part.startswith(CLITIC) else part.removesuffix(CLITIC)
            if CLITIC not in part or bare == part:
                found, here = self._without_clitics(part) if CLITIC in part else ([part], part in self._words)
            elif bare in self._words:
                found, here = [bare], True
            else:
                found, here = self._without_clitics(part)
            parts += found
            useful = useful or here
        return parts if useful else [word]

    def _without_clitics(self, word: str) -> tuple[list[str], bool]:
        """The word between its clitics, and whether something was found."""
        before: list[str] = []
        after: list[str] = []
        while self._first and (match := self._first.match(word)):
            before.append(match[0].removeprefix(CLITIC))
            word = word[match.end() :]
            if word in self._words:
                break
        while self._last and (match := self._last.search(word)):
            after.insert(0, match[0].removesuffix(CLITIC))
            word = word[: match.start()]
            if word in self._words:
                break
        rest = word.removeprefix(CLITIC).removesuffix(CLITIC)
        return [*before, *([rest] if rest else []), *after], bool(before or after or rest in self._words)
