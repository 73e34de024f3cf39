"""How much alike two utterances are: their codes, their voices, their texts, and the times of their words."""

from typing import NamedTuple

from rapidfuzz.distance import LCSseq

from curation.dedup.search import Sound
from curation.dedup.sketch import collapsed
from curation.dedup.timing import timing
from curation.dedup.words import plain


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
    rhythm_ms: float | None = None
    """`Timing.rhythm_ms` of their words."""
    speed: float | None = None
    """How much faster the second one is: 1 as fast."""


def likeness(one: Sound, two: Sound) -> Likeness:
    """See `Likeness`."""
    voice = float(one.voice @ two.voice) if len(one.voice) and len(one.voice) == len(two.voice) else None
    texts = plain(one.text), plain(two.text)
    words = common(*texts) if all(texts) else None
    codes = common(collapsed(one.codes).tolist(), collapsed(two.codes).tolist())
    seconds = min(one.seconds, two.seconds) / max(one.seconds, two.seconds)
    times = timing((one.words.tolist(), two.words.tolist()), (one.times, two.times))
    return Likeness(codes, voice, words, seconds, *(times or ()))


def common(one: "list[int] | str", two: "list[int] | str") -> float:
    """The longest common subsequence as a share of the shorter sequence."""
    return LCSseq.similarity(one, two) / max(1, min(len(one), len(two)))
