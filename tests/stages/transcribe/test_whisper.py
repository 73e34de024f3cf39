"""Whisper tiny and base on real speech."""

import json

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Word
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.whisper import WhisperConfig, _words
from tests.support.real_speech import LIBRIVOX, librivox_as_read

WAVES = librivox_as_read()
CLIPS = [WAVES[0], WAVES[1], WAVES[4]]


def loaded(**settings):
    system = build_system(WhisperConfig(name="whisper-tiny.en", model="whisper-tiny.en", beam_size=2, **settings))
    system.load()
    return system


def test_threads_do_not_matter(tiny):
    assert loaded(threads=2).transcribe(WAVES[:1], ["en"]) == tiny.transcribe(WAVES[:1], ["en"])


def test_language_probabilities_add_up_and_do_not_depend_on_the_batch(transcriber):
    system = transcriber.systems[0]
    together = system.identify_language(CLIPS[1:3])
    assert all(sum(item.values()) == pytest.approx(1, abs=1e-3) for item in together)
    assert system.identify_language(CLIPS[2:3]) == [together[1]]


def test_a_model_of_one_language_identifies_none(tiny):
    with pytest.raises(ValueError, match="one language only"):
        tiny.identify_language(WAVES[:1])


def test_a_language_that_the_model_does_not_speak_is_an_error(tiny):
    with pytest.raises(ValueError, match=r"tiny\.en does not speak 'fr'"):
        tiny.transcribe(WAVES[:1], ["fr"])


@pytest.mark.slow  # tests/stages/punctuate/test_whisper.py compares them too
def test_word_times_are_those_of_montreal_forced_aligner(tiny_with_times):
    """Cross-attention places words to 0.1 or 0.2 s; a wrong unit or offset is seconds away."""
    heard = tiny_with_times.transcribe(WAVES, ["en"] * len(WAVES))
    differences, written = [], []
    for path, hypothesis in zip(LIBRIVOX, heard, strict=True):
        times = json.loads((path.parents[1] / "mfa" / path.with_suffix(".json").name).read_text())
        starts = {
            text: round(start * SAMPLE_RATE) for start, _, text in times if sum(text == t for *_, t in times) == 1
        }
        plain = [(word.text.lower().strip(".,;"), word) for word in hypothesis.words]
        differences += [abs(word.start - starts[text]) / SAMPLE_RATE for text, word in plain if text in starts]
        written += [text for text, _ in plain]
        assert " ".join(word.text for word in hypothesis.words) == hypothesis.text
    assert len(differences) > 30
    assert np.median(differences) < 0.2
    assert "cold-hearted" in written  # what is written without a space is one word


def test_marks_and_silence_around_the_speech_have_no_words(tiny_with_times):
    (heard,) = tiny_with_times.transcribe([np.pad(WAVES[1], (0, 3 * SAMPLE_RATE))], ["en"])
    assert heard.words[-1].text == "man."
    assert heard.words[-1].end < len(WAVES[1]) + SAMPLE_RATE // 2


def test_words_from_the_pieces_of_an_alignment():
    pieces = [
        (" Such", 0.0, 0.1, 0.5),
        (" a", 0.1, 0.2, 0.9),
        (" cold", 0.2, 0.5, 0.6),
        ("-hearted", 0.5, 0.9, 0.7),
        (",", 0.9, 1.4, 0.1),
    ]
    pieces += [(' "man', 1.4, 1.6, 0.8), ('."', 1.6, 1.9, 0.2)]
    found = _words([dict(zip(("word", "start", "end", "probability"), piece, strict=True)) for piece in pieces])
    assert found == [
        Word("Such", 0, 1600, 0.5),
        Word("a", 1600, 3200, 0.9),
        Word("cold-hearted,", 3200, 14_400, 0.6),
        Word('"man."', 22_400, 25_600, 0.8),
    ]


def test_without_word_times_there_are_none(tiny):
    assert tiny.transcribe(WAVES[1:2], ["en"])[0].words == []


def test_confidence_is_less_for_what_is_hard_to_hear(tiny):
    noise = np.random.default_rng(0).normal(0, 0.05, len(WAVES[0])).astype(np.float32)
    clean, noisy = tiny.transcribe([WAVES[0], WAVES[0] * 0.2 + noise], ["en", "en"])
    assert clean.confidence > 0.7
    assert noisy.confidence < clean.confidence - 0.1
    assert 0 <= clean.scores["no_speech_probability"] < 0.1
