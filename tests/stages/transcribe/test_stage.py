"""Real ASR systems on real speech: languages, order, errors, and what they hear together."""

import itertools
from dataclasses import replace

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Hypothesis, Recording, Segment, Source
from curation.stages.base import run_stage
from curation.stages.consensus.stage import Consensus
from curation.stages.transcribe.base import AsrSystem
from curation.stages.transcribe.moonshine import MoonshineConfig
from curation.stages.transcribe.pocketsphinx import PocketSphinxConfig
from curation.stages.transcribe.stage import Transcribe, TranscribeConfig, cut_batches
from curation.stages.transcribe.whisper import Whisper, WhisperConfig
from curation.text.normalize import normalizer_for
from tests.support.real_speech import LIBRIVOX, librivox_as_read

WAVES = librivox_as_read()
CHOSEN = (1, 2)


@pytest.fixture
def stage(transcriber):
    return transcriber


def recording(waves, language="en"):
    """One recording with a segment per wave, 1 s apart."""
    segments, at = [], 0
    for wave in waves:
        segments.append(Segment(at, at + len(wave), audio=wave))
        at += len(wave) + 16000
    return Recording(Source("r", "r.wav", language=language), num_samples=at, segments=segments)


@pytest.fixture(scope="module")
def transcribed(transcriber):
    item = recording([WAVES[number] for number in CHOSEN], language="")
    run_stage(transcriber, [item])
    run_stage(Consensus(), [item])
    assert item.verdict is None
    return item


def test_language_is_identified(transcribed):
    for segment in transcribed.segments:
        assert segment.language == "en"
        assert 0.9 < segment.scores["language.probability"] <= 1
        assert segment.notes["transcribe.language"] == "whisper-base"


def test_every_system_answers_in_the_order_of_the_configuration(transcribed):
    for segment in transcribed.segments:
        assert [item.system for item in segment.hypotheses] == ["whisper-base", "moonshine-tiny", "whisper-tiny.en"]
        assert segment.scores["transcribe.systems"] == 3
        assert all(0 < item.confidence <= 1 and not item.error for item in segment.hypotheses)
        assert all("compression_ratio" in item.scores for item in segment.hypotheses)


def test_the_final_text_is_right_and_written_with_casing_and_punctuation(transcribed):
    english = normalizer_for("en")
    references = [english.clean(LIBRIVOX[number].with_suffix(".lab").read_text()) for number in CHOSEN]
    texts = [english.clean(segment.text) for segment in transcribed.segments]
    assert jiwer.wer(references, texts) < 0.06
    assert all(segment.text[0].isupper() and segment.text[-1] in ".," for segment in transcribed.segments)


def test_word_times_are_in_the_recording(tiny_with_times):
    stage = Transcribe(TranscribeConfig(systems=[tiny_with_times.config], language_system=""))
    stage.systems = [tiny_with_times]
    item = recording([WAVES[1], WAVES[4]])
    run_stage(stage, [item])
    for segment in item.segments:
        words = segment.hypotheses[0].words
        assert " ".join(word.text for word in words) == segment.hypotheses[0].text
        times = [time for word in words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert segment.start <= times[0] < times[-1] <= segment.end
        assert all(0 < word.confidence <= 1 for word in words)


def test_systems_that_do_not_speak_the_language_are_left_out(stage):
    item = recording(WAVES[1:2], language="fr-CA")
    run_stage(stage, [item])
    (segment,) = item.segments
    assert segment.language == "fr"
    assert [hypothesis.system for hypothesis in segment.hypotheses] == ["whisper-base"]
    assert segment.notes["transcribe.left_out"] == "moonshine-tiny, whisper-tiny.en: no fr"
    assert segment.scores["transcribe.systems"] == 1
    assert segment.notes["transcribe.alone"] == "whisper-base: self-consistency, no independent agreement"
    assert len(segment.hypotheses[0].variants) == 2
    assert "language.probability" not in segment.scores
    item.source = replace(item.source, language="")
    run_stage(stage, [item])  # again, from one short utterance
    assert segment.language == "en"
    assert segment.scores["language.probability"] > 0.5
    assert segment.scores["transcribe.systems"] == 3
    assert not {"transcribe.left_out", "transcribe.alone"} & set(segment.notes)
    assert all(not hypothesis.variants for hypothesis in segment.hypotheses)


def test_no_system_supports_the_language(moonshine_stage):
    item = recording(WAVES[1:2], language="fr")
    run_stage(moonshine_stage, [item])
    assert item.segments[0].scores["transcribe.systems"] == 0
    assert item.segments[0].verdict is None


def test_unknown_language_without_an_identifier_says_what_to_do(moonshine_stage):
    item = recording(WAVES[1:2], language="")
    run_stage(moonshine_stage, [item])
    assert item.verdict.status == "failed"
    assert "language column" in item.verdict.detail


def test_an_utterance_on_which_one_system_breaks_is_failed_and_the_rest_go_on():
    # Moonshine takes 30 s at most, PocketSphinx any length.
    config = TranscribeConfig(systems=[MoonshineConfig(), PocketSphinxConfig()], language_system="")
    stage = Transcribe(config)
    stage.setup()
    item = recording([np.zeros(31 * 16000, np.float32), WAVES[1][-24000:]])
    run_stage(stage, [item])
    long, short = item.segments
    assert "30 s at most" in long.hypotheses[0].error
    assert not long.hypotheses[1].error
    assert (long.verdict.status, long.verdict.reason) == ("failed", "transcribe")
    assert "30 s at most" in long.verdict.detail
    assert long.audio is None
    assert short.live
    assert long.scores["transcribe.systems"] == 1
    assert short.scores["transcribe.systems"] == 2
    assert "young man" in short.hypotheses[0].text


def test_a_segment_on_which_all_systems_break_is_failed_and_not_rejected(moonshine_stage):
    item = recording([np.zeros(31 * 16000, np.float32), WAVES[1]])
    run_stage(moonshine_stage, [item])
    assert item.verdict is None
    assert (item.segments[0].verdict.status, item.segments[0].verdict.reason) == ("failed", "transcribe")
    assert item.segments[1].live


def test_several_recordings_at_once_give_what_each_gives_alone(moonshine_stage):
    several = [WAVES[1], WAVES[0][8000:40000]]
    together = [recording([WAVES[4][:32000]]), recording([], language=""), recording(several)]
    run_stage(moonshine_stage, together)
    run_stage(moonshine_stage, together)
    alone = recording(several)
    run_stage(moonshine_stage, [alone])
    assert [s.hypotheses for s in together[2].segments] == [s.hypotheses for s in alone.segments]
    assert together[1].verdict is None  # nothing was said whose language had to be known


def test_configuration_names_what_is_wrong():
    twice = {"kind": "moonshine", "name": "a", "model": "moonshine-tiny.en"}
    with pytest.raises(ValueError, match="unique"):
        TranscribeConfig(systems=[twice, twice], language_system="")
    with pytest.raises(ValueError, match="language_system"):
        TranscribeConfig(systems=[twice])
    with pytest.raises(ValueError, match="kind"):
        TranscribeConfig(systems=[{"kind": "kaldi", "name": "k", "model": "m"}])


@given(st.lists(st.integers(1, 40)), st.integers(1, 6), st.none() | st.floats(0.1, 60.0))
def test_batches_hold_all_in_order_within_both_limits(lengths, rows, seconds):
    segments = [Segment(0, length * SAMPLE_RATE) for length in sorted(lengths)]
    batches = cut_batches(segments, rows, seconds)
    assert [id(item) for batch in batches for item in batch] == [id(item) for item in segments]
    for batch in batches:
        assert 1 <= len(batch) <= rows
        padded = len(batch) * max(item.num_samples for item in batch) / SAMPLE_RATE
        assert seconds is None or padded <= seconds or len(batch) == 1
    for batch, after in itertools.pairwise(batches):  # no batch could have taken one more
        grown = [*batch, after[0]]
        padded = len(grown) * max(item.num_samples for item in grown) / SAMPLE_RATE
        assert len(grown) > rows or (seconds is not None and padded > seconds)


def test_short_ones_go_together_and_long_ones_alone():
    segments = [Segment(0, round(seconds * SAMPLE_RATE)) for seconds in (1, 1, 1, 2, 9, 10, 30)]
    sizes = [len(batch) for batch in cut_batches(segments, 16, 20.0)]
    assert sizes == [4, 2, 1]


class Counting(AsrSystem):
    """Hears how many utterances it is given at once."""

    languages = frozenset({"en"})

    def load(self):
        pass

    def transcribe(self, waves, languages):
        return [Hypothesis(self.config.name, str(len(waves)), language) for language in languages]


def test_utterances_of_a_batch_are_about_as_long_as_one_another():
    systems = [MoonshineConfig(batch_size=16, batch_seconds=20.0)]
    config = TranscribeConfig(systems=systems, language_system="", speed_change=0)
    stage = Transcribe(config)
    stage.systems = [Counting(config.systems[0])]
    item = recording([np.zeros(seconds * SAMPLE_RATE, np.float32) for seconds in (18, 1, 18, 1, 1)])
    run_stage(stage, [item])
    assert [segment.hypotheses[0].text for segment in item.segments] == ["1", "3", "1", "3", "3"]


class Ruler(AsrSystem):
    """Hears how long a wave is in ms, and breaks on those of more than 12 s."""

    max_seconds = 25.0

    def __init__(self, name, *languages):
        super().__init__(MoonshineConfig(name=name))
        self.languages = frozenset(languages) or None

    def load(self):
        pass

    def transcribe(self, waves, languages):
        if max(map(len, waves)) > 12 * SAMPLE_RATE and "de" in languages:
            msg = "too much German"
            raise ValueError(msg)
        return [Hypothesis(self.config.name, str(round(len(wave) / 16))) for wave in waves]


def measured(seconds, language, **settings):
    """The segment after two systems, of which one speaks French and the other everything."""
    systems = [MoonshineConfig(name="all"), MoonshineConfig(name="french")]
    stage = Transcribe(TranscribeConfig(systems=systems, language_system="", **settings))
    stage.systems = [Ruler("all"), Ruler("french", "fr")]
    stage._languages = [system.languages for system in stage.systems]
    stage.setup()
    item = recording([np.zeros(round(seconds * SAMPLE_RATE), np.float32)], language=language)
    run_stage(stage, [item])
    return item.segments[0]


@pytest.mark.parametrize(
    ("seconds", "language", "settings", "variants"),
    [
        (10.0, "zh", {}, ["11000", "9091"]),
        (10.0, "zh", {"speed_change": 0.25}, ["12500", "8000"]),
        (24.0, "zh", {}, ["21818"]),  # slowed down it would be longer than the system takes
        (10.0, "zh", {"speed_change": 0.0}, []),
        (10.0, "fr", {}, []),
    ],
)
def test_a_system_that_alone_speaks_a_language_listens_at_other_speeds(seconds, language, settings, variants):
    segment = measured(seconds, language, **settings)
    assert [item.text for item in segment.hypotheses] == [f"{1000 * seconds:g}"] * (1 + (language == "fr"))
    assert [item.variants for item in segment.hypotheses] == [variants] * (1 + (language == "fr"))
    assert ("transcribe.alone" in segment.notes) == bool(variants)


class Guesser(Ruler):
    """Is hardly sure of the language."""

    def identify_language(self, waves):
        return [{"zh": 0.49996, "de": 0.3}] * len(waves)


def test_a_language_less_likely_than_the_threshold_is_not_rounded_up_to_it():
    systems = [MoonshineConfig(name="all")]
    stage = Transcribe(TranscribeConfig(systems=systems, language_system="all"))
    stage.systems = [Guesser("all")]
    item = recording([np.zeros(SAMPLE_RATE, np.float32)], language="")
    run_stage(stage, [item])
    assert item.segments[0].scores["language.probability"] == 0.49996


def test_whisper_is_no_second_system_of_a_language_that_it_does_not_know():
    """Kinyarwanda: what only another system speaks is heard at other speeds, before Whisper is loaded, too."""
    systems = [WhisperConfig(name="whisper", model="whisper-base"), MoonshineConfig(name="alone")]
    stage = Transcribe(TranscribeConfig(systems=systems, language_system=""))
    stage.systems[1] = Ruler("alone", "rw")
    stage._languages[1] = stage.systems[1].languages
    item = recording([np.zeros(SAMPLE_RATE, np.float32)], language="rw")
    item.segments[0].language = "rw"
    ((hypothesis,),) = stage.branch("alone", [item])
    assert len(hypothesis.variants) == 2


def test_whisper_knows_its_languages_before_it_is_loaded(transcriber):
    assert Whisper(transcriber.config.systems[0]).languages == transcriber.systems[0].languages


def test_a_system_that_breaks_at_another_speed_is_tried_again_later():
    segment = measured(11.0, "de")
    assert (segment.verdict.status, segment.verdict.reason) == ("failed", "transcribe")
    assert "too much German" in segment.verdict.detail


def test_the_old_name_of_a_setting_is_said():
    with pytest.raises(ValueError, match="min_independent"):
        TranscribeConfig(min_systems=1)
