"""Scores that tell a text which was made up: how repetitive it is, and how fast it would have been said."""

import zlib

DECIMALS = 9
"""The scores have thresholds: only the noise of floating point may not decide."""


def repetition(text: str) -> dict[str, float]:
    """The zlib compression ratio of a text, and the share of its word 3-grams that occurred before.

    Whisper's own decoder treats a `compression_ratio` above 2.4 as a repetition loop.
    """
    data = text.encode("utf-8")
    ratio = len(data) / len(zlib.compress(data)) if data else 0.0
    words = text.split()
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    repeated = 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0
    return {"compression_ratio": round(ratio, DECIMALS), "repeated_trigram_share": round(repeated, DECIMALS)}


def plausibility(text: str, seconds: float) -> dict[str, float]:
    """`repetition`, and `characters_per_second`: letters and digits, of a Chinese text its characters."""
    rate = sum(map(str.isalnum, text)) / seconds if seconds > 0 else 0.0
    return {"characters_per_second": round(rate, DECIMALS), **repetition(text)}
