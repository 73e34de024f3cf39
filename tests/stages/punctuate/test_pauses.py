"""Words as they are spoken, and pauses that hold no speech."""

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.base import Interval
from curation.stages.punctuate.pauses import pauses_ms, spoken_words
from curation.text.punctuation import split
from tests.support.real_speech import librivox


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("about 47% of the people", ["about", "47%", "of", "the", "people"]),
        ("made $2.5 million last year", ["made", "2.5", "million$", "last", "year"]),
        ("$5, or £3,000.", ["$5", "or", "£3,000"]),
        ("Rock & roll = fun", ["Rock&", "roll=", "fun"]),
        ("it is 20°, (50 % more)", ["it", "is", "20°", "50%", "more"]),
        ("5 € or 5€", ["5€", "or", "5€"]),
        ("a $ sign", ["a$", "sign"]),
        ("% of it", ["of", "it"]),
        ("%", []),
        ("well-known, don't!", ["well-known", "don't"]),
    ],
)
def test_symbols_are_spoken_with_the_words_beside_them(text, spoken):
    assert spoken_words(split(text)) == spoken


def tones(*parts):
    """Parts of (seconds, amplitude) of noise."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=round(seconds * SAMPLE_RATE)) * level for seconds, level in parts])


def at(start, end):
    return Interval(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))


@pytest.mark.parametrize(
    ("inside", "level", "limit", "pause"),
    [
        (0.2, 0.1, 80, 0.0),
        (0.2, 0.1, 300, 500.0),
        (0.05, 0.1, 80, 500.0),  # a click, or the end of a word
        (0.2, 0.001, 80, 500.0),  # breath
    ],
)
def test_a_pause_that_holds_speech_is_none(inside, level, limit, pause):
    samples = tones((1, 0.1), (0.15, 1e-4), (inside, level), (0.35 - inside, 1e-4), (1, 0.1)).astype(np.float32)
    places = [at(0.1, 1.0), at(1.5, 2.5)]
    assert pauses_ms(places, samples, limit) == [pytest.approx(pause)]
    assert pauses_ms(places) == [pytest.approx(500)]


def test_noise_is_no_speech():
    """At 15 dB SNR a frame of noise is within 20 dB of the speech."""
    samples = (tones((1, 0.1), (0.5, 0), (1, 0.1)) + tones((2.5, 0.1 * 10 ** (-15 / 20)))).astype(np.float32)
    assert pauses_ms([at(0, 1), at(1.5, 2.5)], samples, 80) == [pytest.approx(500)]


def test_beside_a_word_without_a_place_nothing_is_known():
    assert pauses_ms([at(0, 1), None, at(1.5, 2), at(1.9, 2.1)]) == [None, None, 0.0]


def test_a_spoken_symbol_has_its_time_in_the_word_before(punctuator):
    """The reading says `cold-hearted and rather`."""
    aligner, samples = punctuator.aligners[0], librivox()[2]
    written = "Unless to be rather cold-hearted {} rather selfish is to be ill-disposed."
    symbol, word = split(written.format("&")), split(written.format("and"))
    symbols, words = (aligner.align(samples, spoken_words(pieces), "en") for pieces in (symbol, word))
    assert symbols[4].start == words[4].start
    assert abs(symbols[4].end - words[5].end) < 0.05 * SAMPLE_RATE
    assert [aligner._tokens(word) for word in ("47%", "million$", "20°")] == [
        ["47", "%"],
        ["million", "$"],
        ["20", "°"],
    ]
