"""The punctuation stage on real speech."""

# ruff: noqa: RUF001 - full-width marks

import copy

import pytest
from pydantic import ValidationError

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Hypothesis, Segment, Word, fail
from curation.stages.punctuate.stage import Punctuate, PunctuateConfig
from curation.text.punctuation import replay, split
from tests.support.real_speech import TWO_CITIES, librivox, recording, wave


@pytest.fixture(scope="module")
def stage():
    made = Punctuate()
    made.setup()
    return made


def spoken(samples, text, *, language="en", start=0):
    made = recording(samples)
    made.segments = [Segment(start, len(samples), language=language, text=text, audio=samples[start:])]
    return made


def test_commas_at_real_pauses_and_none_in_fluent_speech(stage):
    start, end = round(0.3 * SAMPLE_RATE), round(13.3 * SAMPLE_RATE)
    text = (
        "It was the best of times, it was the worst of times it was the age of wisdom. It was the age. Of foolishness "
        "it was the epoch, of belief, it was the epoch of incredulity."
    )
    made = spoken(wave(TWO_CITIES)[:end], text, start=start)
    segment = made.segments[0]
    segment.hypotheses = [Hypothesis("a", "the age of foolishness")]
    stage.process([made])
    assert segment.text == (
        "It was the best of times, it was the worst of times, it was the age of wisdom. It was the age of foolishness, "
        "it was the epoch, of belief, it was the epoch of incredulity."
    )
    assert segment.notes["punctuate.aligner"] == "pocketsphinx"
    assert replay(text, segment.edits) == segment.text
    assert all(edit.pause_ms >= 300 if edit.kind == "insert" else edit.pause_ms < 50 for edit in segment.edits)
    assert [word.text for word in segment.words] == split(segment.text).words
    assert all(start <= word.start < word.end <= end for word in segment.words)
    wisdom = next(word for word in segment.words if word.text == "wisdom")
    assert abs(wisdom.start / SAMPLE_RATE - 5.75) < 0.05  # by Montreal Forced Aligner


def test_running_again_changes_nothing(stage):
    made = spoken(librivox()[2], "Unless to be. Rather cold-hearted and, rather selfish is to be ill-disposed.")
    stage.process([made])
    once = copy.deepcopy(made.segments[0])
    stage.process([made])
    assert once.edits
    assert (made.segments[0].text, made.segments[0].edits, made.segments[0].words) == (
        once.text,
        once.edits,
        once.words,
    )


@pytest.mark.parametrize(
    ("text", "language"), [("Er war. Nicht da", "de"), ("他，不是。", "zh"), ("one two " * 60, "en"), ("…", "en")]
)
def test_text_that_cannot_be_aligned_stays(stage, text, language):
    made = spoken(librivox()[1], text, language=language)
    stage.process([made])
    segment = made.segments[0]
    assert (segment.text, segment.edits, segment.notes["punctuate.aligner"]) == (text, [], "none")
    assert segment.live


def test_without_aligner():
    stage = Punctuate(PunctuateConfig(aligner="none"))
    stage.setup()
    made = spoken(librivox()[1], "He was, not. An ill-disposed young man.")
    stage.process([made])
    assert made.segments[0].text == "He was, not. An ill-disposed young man."
    assert made.segments[0].notes["punctuate.aligner"] == "none"


def test_confidence_of_the_consensus_is_kept_and_symbols_get_a_place(stage):
    made = spoken(librivox()[1], "he was not 日本 an ill-disposed young man")
    words = split(made.segments[0].text).words
    made.segments[0].words = [Word(word, 0, 1, number / 10) for number, word in enumerate(words)]
    stage.process([made])
    timed = made.segments[0].words
    assert [word.confidence for word in timed] == [number / 10 for number in range(len(words))]
    place = words.index("日")
    assert timed[place - 1].end == timed[place].start
    assert timed[place].end <= timed[place + 2].start


def test_segments_with_a_verdict_or_without_text_are_left(stage):
    made = spoken(librivox()[1], "he was. not")
    made.segments[0].verdict = fail("transcribe", "x")
    made.segments.append(Segment(0, 100, audio=librivox()[1][:100]))
    stage.process([made])
    assert all(not segment.notes for segment in made.segments)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"aligner": "magic"}, "unknown aligner 'magic': expected one of mfa, pocketsphinx, none"),
        ({"fallback": "pocketphinx"}, "unknown aligner 'pocketphinx': did you mean 'pocketsphinx'"),
        ({"insert_pause_ms": 40, "remove_pause_ms": 50}, r"punctuate\.remove_pause_ms must not be above"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValidationError, match=message):
        PunctuateConfig(**settings)
