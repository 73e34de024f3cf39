"""PocketSphinx as a recogniser."""

import json

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.stages.transcribe.pocketsphinx import PocketSphinxConfig
from curation.stages.transcribe.registry import build_system
from tests.support.real_speech import LIBRIVOX, librivox_as_read

WAVES = librivox_as_read()


@pytest.fixture(scope="module")
def system():
    made = build_system(PocketSphinxConfig())
    made.load()
    return made


@pytest.fixture(scope="module")
def heard(system):
    """The same words before and after a sentence."""
    words = WAVES[4][:16000]
    return system.transcribe([words, WAVES[1], words], ["en"] * 3)


def test_pocketsphinx_carries_nothing_over(heard):
    first, sentence, again = heard
    assert first == again
    assert len(first.words) > 1
    assert "young man" in sentence.text
    assert sentence.words[-1].text == "man"
    assert sentence.words[-1].end <= len(WAVES[1])


def test_words_have_times_and_posteriors_and_no_marks_of_pronunciations(heard):
    words = heard[1].words
    assert heard[1].text == " ".join(word.text for word in words)
    assert all("(" not in word.text and "<" not in word.text for word in words)
    assert all(0 < word.confidence <= 1 for word in words)
    times = json.loads((LIBRIVOX[1].parents[1] / "mfa" / LIBRIVOX[1].with_suffix(".json").name).read_text())
    starts = {text: start for start, _, text in times}
    found = {word.text: word.start / SAMPLE_RATE for word in words if word.text in starts}
    assert len(found) >= 4
    assert np.median([abs(found[text] - starts[text]) for text in found]) < 0.05


def test_it_has_no_confidence_of_its_own(heard):
    assert heard[0].confidence is None


def test_english_only(system):
    with pytest.raises(ValueError, match=r"English only, not \['de', 'en'\]"):
        system.transcribe(WAVES[:2], ["en", "de"])
