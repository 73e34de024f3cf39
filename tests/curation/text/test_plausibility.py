"""How repetitive a text is, and how fast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.stages.consensus.stage import ConsensusConfig
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


LIMITS = {
    "characters_per_second": ConsensusConfig().max_characters_per_second,
    "compression_ratio": ConsensusConfig().max_compression_ratio,
    "repeated_trigram_share": ConsensusConfig().max_repeated_trigrams,
}


def broken(text, seconds):
    return [name for name, value in plausibility(text, seconds).items() if name in LIMITS and value > LIMITS[name]]


@given(
    st.sampled_from(
        ["Thank you.", "you", "I'm going to go to the next one.", "谢谢观看。", "ご視聴ありがとうございました。"]
    ),
    st.integers(12, 60),
)
def test_a_system_in_a_loop_breaks_a_limit(phrase, times):
    assert broken(" ".join([phrase] * times), 15.0)
    assert "compression_ratio" in broken(phrase * 2 * times, 15.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("It was the season of light. It was the season of darkness.", 4.0),
        ("No, no, no, no, no, no.", 2.0),
        ("ever tried ever failed no matter try again fail again fail better", 4.5),
        ("Yeah. Yeah. Yeah, yeah.", 1.0),
        ("到了收获的时节，突然间需要许多炸油器，他就恣意的抬高价钱，于是赚了一大笔钱。", 5.0),  # noqa: RUF001 - as it is written
        ("The Securities and Exchange Commission's representative nonetheless characterised it differently.", 4.4),
    ],
)
def test_what_people_say_breaks_none(text, seconds):
    assert broken(text, seconds) == []


def test_more_than_anybody_says_breaks_the_limit_of_speed():
    assert broken("Subtitles by the Amara.org community, and thanks for watching our video.", 1.0) == [
        "characters_per_second"
    ]
