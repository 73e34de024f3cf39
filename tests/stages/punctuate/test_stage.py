"""The punctuation stage on real speech."""

# ruff: noqa: RUF001 - full-width marks

import copy
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Hypothesis, Segment, Word, fail
from curation.stages.punctuate.stage import Punctuate, PunctuateConfig
from curation.text.punctuation import replay, split
from tests.support.real_speech import TWO_CITIES, librivox, recording, wave


@pytest.fixture
def stage(punctuator):
    return punctuator


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


def test_what_a_lone_system_wrote_at_every_speed_is_evidence(stage):
    """A mark without a pause stays, and a pause without a mark gets none."""
    text = (
        "It was the best of times, it was the worst of times it was the age of wisdom it was the age, of foolishness."
    )
    made = spoken(wave(TWO_CITIES)[: round(9 * SAMPLE_RATE)], text)
    made.segments[0].hypotheses = [Hypothesis("a", text)]
    stage.process([made])
    assert {edit.kind for edit in made.segments[0].edits} == {"insert", "remove"}
    made.segments[0].hypotheses = [Hypothesis("a", text, variants=[text, text])]
    stage.process([made])
    assert (made.segments[0].text, made.segments[0].edits) == (text, [])


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
        ({"aligner": "magic"}, "unknown aligner 'magic': expected one of mfa, pocketsphinx, whisper, none"),
        ({"fallback": "pocketphinx"}, "unknown aligner 'pocketphinx': did you mean 'pocketsphinx'"),
        ({"insert_pause_ms": 40, "remove_pause_ms": 50}, r"punctuate\.remove_pause_ms must not be above"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValidationError, match=message):
        PunctuateConfig(**settings)


READING = (
    "It was the best of times, it was the worst of times it was the age of wisdom. It was the age of. Foolishness it "
    "was the epoch, of belief"
)
"""The first 11 s of Two Cities; the marks are wrong in places."""


@cache
def aligners():
    """Loaded once."""
    stage = Punctuate(PunctuateConfig(fallback="none"))
    stage.setup()
    return stage.aligners


def read(**settings):
    """The segment of `READING` after a stage with these settings; it begins 1 s into the recording."""
    hypotheses = settings.pop("hypotheses", [])
    stage = Punctuate(PunctuateConfig(fallback="none", **settings))
    stage.aligners = aligners()
    start = SAMPLE_RATE
    samples = np.concatenate([np.zeros(start, np.float32), wave(TWO_CITIES)[4800 : round(11.3 * SAMPLE_RATE)]])
    made = spoken(samples, READING, start=start)
    made.segments[0].hypotheses = hypotheses
    stage.process([made])
    return made.segments[0]


@pytest.mark.parametrize(
    ("insert", "remove"), [(300.0, 50.0), (120.0, 50.0), (600.0, 50.0), (300.0, 0.0), (300.0, 300.0)]
)
def test_the_settings_of_pauses_decide_where_marks_are(insert, remove):
    """What the words' own times say of the pauses is what the marks show."""
    segment = read(insert_pause_ms=insert, remove_pause_ms=remove)
    written, given = split(segment.text), split(READING)
    pauses = [(right.start - left.end) * 1000 / SAMPLE_RATE for left, right in pairwise(segment.words)]
    for pause, gap, before in zip(pauses, written.gaps[1:], given.gaps[1:], strict=False):
        if pause >= insert:
            assert gap.strip() == (before.strip() or ",")
        elif pause < remove:
            assert gap == " "
        else:
            assert gap == before
    marked = [pause for pause, gap in zip(pauses, given.gaps[1:], strict=False) if gap != " "]
    if insert != 300:  # some pause is one only by this setting
        assert any(min(insert, 300) <= pause < max(insert, 300) for pause in pauses)
    if remove != 50:
        assert any(min(remove, 50) <= pause < max(remove, 50) for pause in marked)


def test_other_hypotheses_tell_names_from_sentence_starts():
    assert "It was the age of foolishness" in read().text
    name = [Hypothesis("a", "it was the age of Foolishness, it was The Epoch")]
    assert "It was the age of Foolishness" in read(hypotheses=name).text


def test_pause_of_an_edit_is_the_one_between_the_words():
    segment = read()
    assert segment.edits
    for edit in segment.edits:
        at = edit.position - (edit.kind == "recase")
        left, right = segment.words[at : at + 2]
        assert edit.pause_ms == pytest.approx((right.start - left.end) * 1000 / SAMPLE_RATE)


def test_what_can_no_longer_be_aligned_goes_back_to_its_first_text(stage):
    """Stages may run again: edits of the run before, which no pause supports now, are taken back."""
    made = spoken(librivox()[2], "Unless to be. Rather cold-hearted and, rather selfish is to be ill-disposed.")
    stage.process([made])
    segment = made.segments[0]
    assert segment.edits
    without = Punctuate(PunctuateConfig(aligner="none"))
    without.setup()
    without.process([made])
    assert segment.text == "Unless to be. Rather cold-hearted and, rather selfish is to be ill-disposed."
    assert segment.edits == []


@pytest.mark.parametrize(("text", "place"), [("he was not an ill-disposed young man 日", -1), ("日 he was not", 0)])
def test_words_without_a_place_at_the_edges_fill_the_utterance(stage, text, place):
    start = 3 * SAMPLE_RATE
    samples = np.concatenate([np.zeros(start, np.float32), librivox()[1]])
    made = spoken(samples, text, start=start)
    stage.process([made])
    segment = made.segments[0]
    words = segment.words
    assert words[place].text == "日"
    assert [word.start for word in words] == sorted(word.start for word in words)
    if place:
        assert (words[-1].start, words[-1].end) == (words[-2].end, segment.end)
    else:
        assert (words[0].start, words[0].end) == (segment.start, words[1].start)


def test_an_utterance_without_audio_of_its_own_is_cut_from_the_recording(stage):
    made = spoken(librivox()[1], "He was, not. An ill-disposed young man.")
    stage.process([made])
    other = spoken(librivox()[1], "He was, not. An ill-disposed young man.")
    other.segments[0].audio = None
    stage.process([other])
    assert other.segments[0].words == made.segments[0].words


def written(*texts):
    return [Hypothesis(str(number), text) for number, text in enumerate(texts)]


def test_what_the_systems_wrote_is_evidence():
    """There are pauses after `worst of times` and `age of wisdom`, none after `the age of`."""
    bare = READING.replace(",", "").replace(".", "")
    agreeing = written(READING, READING, bare)
    agreed = read(hypotheses=agreeing).text  # all that write marks
    assert "the age of. Foolishness" in agreed
    assert "worst of times it was" in agreed  # nobody wrote a mark: a search for words
    others = written(READING, *[READING.replace("of. F", "of f").replace("times it", "times, it")] * 2)
    assert "the age of foolishness" in read(hypotheses=others).text
    low = read(hypotheses=others, keep_share=0.3).text
    assert "the age of. Foolishness" in low
    assert "worst of times, it was" in low
    for alone in (read(hypotheses=agreeing, keep_share=2), read(hypotheses=written(READING))):
        assert "the age of foolishness" in alone.text.lower()
        assert "worst of times, it was" in alone.text


def test_a_long_pause_before_a_conjunction_gets_a_comma_that_nobody_wrote():
    said = "It was the best of times it was the worst of times and was the"  # `it was the`, after a pause
    for limit, expected in ((700.0, "times and"), (300.0, "times, and")):
        stage = Punctuate(PunctuateConfig(fallback="none", unwritten_pause_ms=limit))
        stage.setup()
        made = spoken(wave(TWO_CITIES)[4800 : round(5.6 * SAMPLE_RATE)], said)
        made.segments[0].hypotheses = written(f"{said}.", f"{said}.")
        stage.process([made])
        assert expected in made.segments[0].text


def test_a_pause_that_holds_speech_gets_no_comma(stage):
    """A sound of 120 ms as loud as the voice, in a real pause."""
    samples = wave(TWO_CITIES)[4800 : round(5.6 * SAMPLE_RATE)].copy()
    said = "It was the best of times it was the worst of times it was the"
    made = spoken(samples, said)
    stage.process([made])
    before, after = made.segments[0].words[11:13]
    assert "worst of times, it" in made.segments[0].text
    middle = (before.end + after.start) // 2
    samples[middle - 960 : middle + 960] = samples[before.start : before.start + 1920]
    texts = []
    for limit in (80.0, 1e6):
        stage = Punctuate(PunctuateConfig(fallback="none", max_speech_ms=limit))
        stage.setup()
        made = spoken(samples, said)
        stage.process([made])
        texts.append(made.segments[0].text)
    assert "worst of times it" in texts[0]
    assert "worst of times, it" in texts[1]


def test_by_default_whisper_places_what_the_first_aligner_cannot():
    stage = Punctuate()
    stage.setup()
    made = spoken(
        wave(TWO_CITIES)[4800 : round(5.6 * SAMPLE_RATE)], "it was the best of times 日 it was", language="fr"
    )
    stage.process([made])
    assert made.segments[0].notes["punctuate.aligner"] in {"whisper", "none"}
    english = spoken(librivox()[1], "he was not an ill-disposed young man")
    stage.process([english])
    assert english.segments[0].notes["punctuate.aligner"] == "pocketsphinx"
