# ruff: noqa: RUF001 - the marks of many scripts
"""Splits long text and audio into pieces that a model can process; joins their speech and their texts.

Text is cut at sentence ends, sentences that are too long at clauses, what is still too long at words, and a word that
is (scripts without spaces have such) between letters. Joins are crossfades of 10 ms with weights that add up to 1: both
sides are audible at a join, and neither starts or ends abruptly.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from curation.audio.levels import quietest
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.text.punctuation import ends_sentence, is_abbreviation, split
from curation.text.spoken import spoken

MAX_CHARS = 200
"""Longest piece: about 14 s of English speech; utterances of the corpus are at most 20 s."""
WIDE = 4
"""Letters that a digit or a CJK character is spoken as."""
CLAUSE_MARKS = ",;:，、；：،؛—–"
FADE_SAMPLES = SAMPLE_RATE // 100
MAX_SECONDS = 20.0
"""Longest stretch of audio that is processed as one request; utterances of the corpus are no longer."""
SEARCH_SECONDS = 5.0
MIN_SAMPLES = 400  # shorter clips have no semantic token

_Ends = Callable[[str, str, str], bool]
"""Whether a piece may end here: the word, the gap after it, the next word."""


def is_wide(char: str) -> bool:
    """Whether this is a character of Chinese, Japanese or Korean."""
    return "\u2e80" <= char <= "\ud7af" or "\uf900" <= char <= "\ufaff"


def size_of(text: str) -> int:
    """Length of a text in letters as it is spoken; digits and CJK characters count as four."""
    return sum(WIDE if char.isdigit() or is_wide(char) else 1 for char in text)


def split_text(text: str, max_size: int = MAX_CHARS) -> list[str]:
    """Cut a text into pieces of at most `max_size` letters, or of one that is wider, each without outer space.

    Sentences are kept together as far as they fit. Joined by spaces where there was space, the pieces are the text.
    """
    pieces: list[str] = []
    for sentence in _cut(text, _is_sentence_end):
        parts = [sentence]
        if size_of(sentence.strip()) > max_size:
            clauses = _cut(sentence, _is_clause_end)
            parts = [part for clause in _packed(clauses, max_size) for part in _short_enough(clause, max_size)]
        pieces += parts
    return [piece.strip() for piece in _packed(pieces, max_size) if piece.strip()]


def spoken_pieces(text: str, language: str) -> list[str]:
    """Pieces of a text as it is spoken. Sentences are spelled out one by one, which makes them longer."""
    return [piece for sentence in split_text(text) for piece in split_text(spoken(sentence, language))]


def split_audio(wave: Wave) -> list[Wave]:
    """Cut a wave at quiet places into pieces of at most `MAX_SECONDS`; those without a semantic token are left out."""
    rest, limit, pieces = wave, round(MAX_SECONDS * SAMPLE_RATE), []
    while len(rest) > limit:
        cut = quietest(rest[:limit], round(SEARCH_SECONDS * SAMPLE_RATE))
        pieces.append(rest[:cut])
        rest = rest[cut:]
    return [piece for piece in [*pieces, rest] if len(piece) >= MIN_SAMPLES]


def _short_enough(clause: str, max_size: int) -> list[str]:
    if size_of(clause.strip()) <= max_size:
        return [clause]
    words = _cut(clause, lambda *_: True)
    return _packed((part for word in words for part in _letters(word, max_size)), max_size)


def _letters(word: str, max_size: int) -> Iterable[str]:
    """A word that fits, else parts of it that do, to be packed again."""
    step = len(word) if size_of(word.strip()) <= max_size else max(1, max_size // WIDE)
    return (word[start : start + step] for start in range(0, len(word), step))


def _cut(text: str, is_end: _Ends) -> list[str]:
    """Cut after each gap between words for which `is_end(word, gap, next word)`; the pieces join to the text."""
    pieces = split(text)
    out, current = [], pieces.gaps[0]
    for index, (word, gap) in enumerate(zip(pieces.words, pieces.gaps[1:], strict=True)):
        current += word + gap
        if index + 1 < len(pieces.words) and is_end(word, gap, pieces.words[index + 1]):
            out.append(current)
            current = ""
    return [*out, current]


def _is_sentence_end(word: str, gap: str, following: str) -> bool:
    if not ends_sentence(gap):
        return "\n\n" in gap
    only_stop = gap.strip() == "."
    return not (only_stop and is_abbreviation(word, following) and not word.isnumeric())


def _is_clause_end(_word: str, gap: str, _following: str) -> bool:
    return any(char in CLAUSE_MARKS for char in gap)


def _packed(parts: Iterable[str], max_size: int) -> list[str]:
    """Join neighbours as long as they fit."""
    out: list[str] = []
    for part in parts:
        if out and size_of((out[-1] + part).strip()) <= max_size:
            out[-1] += part
        else:
            out.append(part)
    return out


def join_streams(streams: Iterable[Iterable[Wave]], fade: int = FADE_SAMPLES) -> Iterator[Wave]:
    """Join the waves of several streams, given in chunks, with crossfades; the last `fade` samples are held back.

    The whole is shorter than its parts by `fade` samples for each join (less where a part is shorter than that).
    """
    held = np.zeros(0, np.float32)
    for stream in streams:
        joined = False
        before, held = held, np.zeros(0, np.float32)
        for chunk in stream:
            held = np.concatenate([held, chunk])
            if not joined and len(held) >= 2 * fade:  # enough to fade in and to hold back again
                held, joined = crossfade(before, held, fade), True
            if joined and len(held) > fade:
                yield held[:-fade] if fade else held
                held = held[len(held) - fade :]
        if not joined:
            held = crossfade(before, held, fade)
    if len(held):
        yield held


def crossfade(first: Wave, second: Wave, fade: int = FADE_SAMPLES) -> Wave:
    """Overlap the end of one wave with the start of another by `fade` samples, or as many as both have."""
    fade = min(fade, len(first), len(second))
    rising = np.sin(np.linspace(0, np.pi / 2, fade + 2, dtype=np.float32)[1:-1]) ** 2
    keep = len(first) - fade
    middle = first[keep:] * (1 - rising) + second[:fade] * rising
    return np.asarray(np.concatenate([first[:keep], middle, second[fade:]]), np.float32)


def join_waves(waves: Iterable[Wave], fade: int = FADE_SAMPLES) -> Wave:
    """Join whole waves with crossfades."""
    pieces = list(join_streams(([wave] for wave in waves), fade))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def join_texts(texts: Iterable[str]) -> str:
    """Join with spaces, but none beside a CJK character or where there is one."""
    out = ""
    for text in texts:
        together = not out or not text or any(char.isspace() or is_wide(char) for char in (out[-1], text[0]))
        out += text if together else f" {text}"
    return out
