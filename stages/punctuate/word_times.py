"""Word times from a forced aligner, mapped to the words of the transcript.

An aligner tokenizes words its own way: "cold-hearted" may be two, a Chinese word may hold several of our characters.
The letters and their order stay the same. So each letter of the aligner's words gets its share of their time, and a
word of the transcript gets the time of its letters.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.base import Interval, Placed


@dataclass(frozen=True, slots=True)
class Timed:
    """A word with its times in seconds from the start of the audio."""

    start: float
    end: float
    text: str


def letters(text: str) -> str:
    """Letters and digits of a word, without case: what two spellings of it have in common."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def place(words: Sequence[str], found: Sequence[Timed], num_samples: int) -> Placed:
    """A place for each of `words`, given an aligner's words with their times; None where the texts differ.

    Times are rounded to samples at 16 kHz and kept within 0..num_samples; places never overlap.
    """
    shares: list[tuple[int, int]] = []
    heard = ""
    for item in found:
        spelled = letters(item.text)
        shares += _shares(item, len(spelled), num_samples, shares[-1][1] if shares else 0)
        heard += spelled
    wanted = [letters(word) for word in words]
    if heard != "".join(wanted) or not heard or any(end <= start for start, end in shares):
        return None
    placed: list[Interval | None] = []
    at = 0
    for spelled in wanted:
        span = shares[at : at + len(spelled)]
        placed.append(Interval(span[0][0], span[-1][1]) if span else None)
        at += len(spelled)
    return placed


def _shares(item: Timed, count: int, num_samples: int, earliest: int) -> list[tuple[int, int]]:
    """Equal parts of a word's time for its letters, in samples, not before `earliest`."""
    start = max(earliest, round(item.start * SAMPLE_RATE))
    end = min(num_samples, round(item.end * SAMPLE_RATE))
    edges = [start + (end - start) * part // count for part in range(count + 1)] if count else []
    return list(pairwise(edges))
