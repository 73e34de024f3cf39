"""How much alike two utterances are: their codes, their voices and their texts."""

from typing import NamedTuple

from rapidfuzz.distance import LCSseq

from curation.dedup.search import Sound
from curation.dedup.sketch import collapsed


class Likeness(NamedTuple):
    """Of two utterances. What one of them lacks is null."""

    codes: float
    """The longest common subsequence of their codes, as a share of the shorter one."""
    voice: float | None
    """Cosine of the speaker embeddings."""
    words: float | None
    """The longest common subsequence of the letters of their texts, as a share of the shorter one."""
    seconds: float
    """The shorter duration, as a share of the longer one."""


def likeness(one: Sound, two: Sound) -> Likeness:
    """See `Likeness`."""
    voice = float(one.voice @ two.voice) if len(one.voice) and len(one.voice) == len(two.voice) else None
    texts = plain(one.text), plain(two.text)
    words = common(*texts) if all(texts) else None
    codes = common(collapsed(one.codes).tolist(), collapsed(two.codes).tolist())
    return Likeness(codes, voice, words, min(one.seconds, two.seconds) / max(one.seconds, two.seconds))


def common(one: "list[int] | str", two: "list[int] | str") -> float:
    """The longest common subsequence as a share of the shorter sequence."""
    return LCSseq.similarity(one, two) / max(1, min(len(one), len(two)))


def plain(text: str) -> str:
    """The letters and digits of a text."""
    return "".join(letter for letter in (text or "").casefold() if letter.isalnum())
