"""How repetitive a text is, and how fast."""

import pytest

from curation.text.plausibility import plausibility, repetition


def test_a_loop_is_told_from_a_sentence():
    loop = repetition("I heard a beep. " * 8)
    plain = repetition("And Mr. John Dashwood had then leisure to consider how much there might be.")
    assert loop["compression_ratio"] > 2.4
    assert plain["compression_ratio"] < 1.5
    assert loop["repeated_trigram_share"] > 0.5
    assert plain["repeated_trigram_share"] == 0
    assert repetition("") == {"compression_ratio": 0.0, "repeated_trigram_share": 0.0}


@pytest.mark.parametrize(
    ("text", "seconds", "rate"),
    [("It's 10 o'clock.", 2.0, 5.5), ("他就恣意的。", 2.0, 2.5), ("", 1.0, 0.0), ("yes", 0.0, 0.0)],
)
def test_letters_and_digits_count(text, seconds, rate):
    found = plausibility(text, seconds)
    assert found == {"characters_per_second": rate, **repetition(text)}
