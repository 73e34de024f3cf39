"""Real ASR systems on real speech: what they hear, and that it does not depend on what is in the batch."""

from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile

from curation.manifests.records import Recording, Segment, Source
from curation.stages.base import run_stage
from curation.stages.consensus.stage import Consensus
from curation.stages.transcribe.base import text_scores
from curation.stages.transcribe.moonshine import MoonshineConfig
from curation.stages.transcribe.pocketsphinx import PocketSphinxConfig
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.stage import Transcribe, TranscribeConfig
from curation.stages.transcribe.whisper import WhisperConfig
from curation.text.normalize import normalizer_for

LIBRIVOX = sorted((Path(__file__).parents[2] / "data" / "librivox").glob("*.flac"))
WAVES = [soundfile.read(path, dtype="float32")[0] for path in LIBRIVOX]
CLIPS = [*WAVES, WAVES[0][8000:40000], WAVES[2][:20000], WAVES[3][16000:33000]]
TINY = WhisperConfig(name="whisper-tiny.en", model="whisper-tiny.en", beam_size=2)


def loaded(config):
    system = build_system(config)
    system.load()
    return system


@pytest.fixture(scope="module")
def stage():
    made = Transcribe()
    made.setup()
    return made


@pytest.fixture(scope="module")
def moonshine_stage():
    made = Transcribe(TranscribeConfig(systems=[MoonshineConfig()], language_system=""))
    made.setup()
    return made


def recording(waves, language="en"):
    """One recording with a segment per wave, 1 s apart."""
    segments, at = [], 0
    for wave in waves:
        segments.append(Segment(at, at + len(wave), audio=wave))
        at += len(wave) + 16000
    return Recording(Source("r", "r.wav", language=language), num_samples=at, segments=segments)


@pytest.fixture(scope="module")
def transcribed(stage):
    item = recording(WAVES, language="")
    run_stage(stage, [item])
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
    references = [english.clean(path.with_suffix(".lab").read_text()) for path in LIBRIVOX]
    texts = [english.clean(segment.text) for segment in transcribed.segments]
    assert jiwer.wer(references, texts) < 0.06
    assert all(segment.text[0].isupper() and segment.text[-1] in ".," for segment in transcribed.segments)


@pytest.mark.parametrize("config", [TINY, MoonshineConfig()], ids=["whisper", "moonshine"])
def test_batch_does_not_matter(config):
    system = loaded(config)
    alone = [system.transcribe([clip], ["en"])[0] for clip in CLIPS]
    order = np.random.default_rng(1).permutation(len(CLIPS))
    together = system.transcribe([CLIPS[place] for place in order], ["en"] * len(order))
    assert [alone[place] for place in order] == together


def test_threads_do_not_matter():
    clips, languages = CLIPS[1:5], ["en"] * 4
    two = loaded(TINY.model_copy(update={"threads": 2}))
    assert two.transcribe(clips, languages) == loaded(TINY).transcribe(clips, languages)


def test_pocketsphinx_carries_nothing_over():
    system = loaded(PocketSphinxConfig())
    first, _, again = system.transcribe([WAVES[1], WAVES[4][:16000], WAVES[1]], ["en"] * 3)
    assert first == again
    assert "young man" in first.text
    assert first.words[-1].text == "man"
    assert first.words[-1].end <= len(WAVES[1])


def test_language_probabilities_add_up_and_do_not_depend_on_the_batch(stage):
    system = stage.systems[0]
    together = system.identify_language(CLIPS)
    assert all(sum(item.values()) == pytest.approx(1, abs=1e-3) for item in together)
    assert system.identify_language(CLIPS[2:3]) == [together[2]]


def test_word_times_are_in_the_recording():
    config = TranscribeConfig(systems=[TINY.model_copy(update={"word_times": True})], language_system="")
    stage = Transcribe(config)
    stage.setup()
    item = recording(WAVES[:2])
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
    assert "language.probability" not in segment.scores


def test_nobody_speaks_the_language(moonshine_stage):
    item = recording(WAVES[1:2], language="fr")
    run_stage(moonshine_stage, [item])
    assert item.segments[0].scores["transcribe.systems"] == 0
    assert item.segments[0].verdict is None


def test_unknown_language_without_an_identifier_says_what_to_do(moonshine_stage):
    item = recording(WAVES[1:2], language="")
    run_stage(moonshine_stage, [item])
    assert item.verdict.status == "failed"
    assert "language column" in item.verdict.detail


def test_one_system_that_breaks_leaves_an_error_and_the_rest_go_on():
    # Moonshine takes 30 s at most, PocketSphinx any length.
    config = TranscribeConfig(systems=[MoonshineConfig(), PocketSphinxConfig()], language_system="")
    stage = Transcribe(config)
    stage.setup()
    item = recording([np.zeros(31 * 16000, np.float32), WAVES[1]])
    run_stage(stage, [item])
    long, short = item.segments
    assert "30 s at most" in long.hypotheses[0].error
    assert not long.hypotheses[1].error
    assert long.verdict is None
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
    together = [recording(WAVES[:2]), recording([]), recording(WAVES[2:4])]
    run_stage(moonshine_stage, together)
    run_stage(moonshine_stage, together)
    alone = recording(WAVES[2:4])
    run_stage(moonshine_stage, [alone])
    assert [s.hypotheses for s in together[2].segments] == [s.hypotheses for s in alone.segments]


@pytest.mark.parametrize("config", [TINY, MoonshineConfig()], ids=["whisper", "moonshine"])
def test_a_scrap_of_silence_is_no_error(config):
    (heard,) = loaded(config).transcribe([np.zeros(100, np.float32)], ["en"])
    assert not heard.error
    assert 0 <= heard.confidence <= 1


def test_repetition_shows_in_the_scores():
    loop = text_scores("I heard a beep. " * 8)
    plain = text_scores("And Mr. John Dashwood had then leisure to consider how much there might be.")
    assert loop["repeated_trigram_share"] > 0.7
    assert loop["compression_ratio"] > 2.4
    assert plain == {"compression_ratio": pytest.approx(1.0, abs=0.2), "repeated_trigram_share": 0}
    assert text_scores("") == {"compression_ratio": 0.0, "repeated_trigram_share": 0.0}


def test_configuration_names_what_is_wrong():
    twice = {"kind": "moonshine", "name": "a", "model": "moonshine-tiny.en"}
    with pytest.raises(ValueError, match="unique"):
        TranscribeConfig(systems=[twice, twice], language_system="")
    with pytest.raises(ValueError, match="language_system"):
        TranscribeConfig(systems=[twice])
    with pytest.raises(ValueError, match="kind"):
        TranscribeConfig(systems=[{"kind": "kaldi", "name": "k", "model": "m"}])
