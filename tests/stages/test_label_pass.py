"""What one stage hands to the next: all default stages on one real recording, looked at after each of them."""

import copy
import itertools
from dataclasses import dataclass
from fnmatch import fnmatch

import jiwer
import numpy as np
import pytest
import soundfile

from curation.core.declarations import declared
from curation.manifests.records import Recording, Source
from curation.pipeline.assemble import build_stages, declared_notes, declared_scores
from curation.pipeline.config import load_config
from curation.stages.base import run_stage
from curation.stages.boundary import Boundary
from curation.stages.consensus.stage import Consensus
from curation.stages.decode.stage import DecodeConfig, decode_spans
from curation.stages.denoise.stage import Denoise, DenoiseConfig
from curation.stages.loudness import Loudness
from curation.text.normalize import normalizer_for
from curation.text.punctuation import revert, split
from tests.support.dummies import write_wav
from tests.support.real_speech import LIBRIVOX, librivox_as_read

CHOSEN = (1, 2)
BEFORE = 20
"""Seconds of silence, one span, before the span with the reader."""


@dataclass
class Pass:
    """The span with the reader after each stage, by the name of the stage."""

    after: dict[str, Recording]
    decoded: np.ndarray
    """The span as libsndfile reads it."""


@pytest.fixture(scope="module")
def run(tmp_path_factory, denoiser_stage, diarizer, quality_stage, transcriber, punctuator) -> Pass:
    pause = np.zeros(24_000, np.float32)
    parts = [part for number in CHOSEN for part in (librivox_as_read()[number], pause)]
    whole = np.concatenate([np.zeros(BEFORE * 16_000, np.float32), *parts])
    path = write_wav(tmp_path_factory.mktemp("pass") / "reader.wav", whole)
    config = DecodeConfig(max_span_seconds=BEFORE, span_search_seconds=0.0)
    silent, spoken = decode_spans(Source("reader", str(path)), config)
    assert silent.verdict.reason == "decode.min_peak"
    stages = [Loudness(), denoiser_stage, diarizer, quality_stage, Boundary(), transcriber, Consensus(), punctuator]
    assert [type(stage) for stage in stages] == [type(stage) for stage in build_stages(load_config())]
    after = {"decode": copy.deepcopy(spoken)}
    for stage in stages:
        run_stage(stage, [spoken])
        assert spoken.verdict is None
        after[stage.name] = copy.deepcopy(spoken)
    return Pass(after, soundfile.read(path, dtype="float32")[0][BEFORE * 16_000 :])


def final(run):
    return run.after["punctuate"].live_segments


def test_the_original_stays_as_decoded(run):
    for name in ("decode", "loudness", "denoise", "diarize", "quality", "boundary"):
        row = run.after[name]
        assert (row.offset, row.num_samples) == (BEFORE * 16_000, len(run.decoded))
        np.testing.assert_array_equal(row.original, run.decoded)
    np.testing.assert_array_equal(run.after["decode"].audio, run.decoded)
    audio = [run.after[name].audio for name in ("decode", "loudness", "denoise")]
    assert not np.array_equal(audio[0], audio[1])
    np.testing.assert_array_equal(audio[1], audio[2])


def test_only_what_is_published_is_denoised(run, diarizer, moonshine_stage):
    """With whatever denoiser the same is heard: in the same utterances, by the same systems."""
    denoiser = Denoise(DenoiseConfig(denoiser="spectral", choose="always", attenuation_limit_db=None))
    denoiser.setup()
    row = copy.deepcopy(run.after["loudness"])
    row.source.language = "en"
    for stage in (denoiser, diarizer, moonshine_stage):
        run_stage(stage, [row])
    for other, plain in zip(row.live_segments, run.after["transcribe"].live_segments, strict=True):
        np.testing.assert_array_equal(other.audio, plain.audio)
        assert other.hypotheses[0].text == plain.hypotheses[1].text
        assert np.abs(other.published).max() == pytest.approx(0.6)
        assert not np.allclose(other.published, plain.audio, atol=0.02)


def test_loudness_and_denoise_keep_every_sample_in_its_place(run, denoiser_stage):
    row = run.after["denoise"]
    for wave in (row.audio, denoiser_stage.denoised(row.audio)):
        assert wave.shape == run.decoded.shape
        assert np.abs(wave).max() == pytest.approx(0.6, abs=1e-6)
        shifted = [np.dot(np.roll(wave, shift), run.decoded) for shift in range(-80, 81)]
        assert np.argmax(shifted) == 80


def test_diarization_is_that_of_the_original(run, diarizer):
    alone = Recording(Source("reader", ""), offset=BEFORE * 16_000, num_samples=len(run.decoded))
    alone.audio = run.decoded
    run_stage(diarizer, [alone])
    found = run.after["diarize"].segments
    assert [(s.start, s.end, s.speaker) for s in found] == [(s.start, s.end, s.speaker) for s in alone.segments]
    for one, two in zip(run.after["diarize"].live_segments, alone.live_segments, strict=True):
        np.testing.assert_array_equal(one.speaker_embedding, two.speaker_embedding)
        assert not np.allclose(one.audio, two.audio, atol=1e-3)  # cut from what was processed


def test_utterances_are_cut_from_the_processed_audio_at_times_of_the_recording(run):
    processed = run.after["denoise"].audio
    assert len(run.after["diarize"].live_segments) == len(CHOSEN)
    for segment in run.after["diarize"].live_segments:
        start, end = (time - BEFORE * 16_000 for time in (segment.start, segment.end))
        assert 0 <= start < end <= len(processed)
        cut = processed[start:end]
        np.testing.assert_allclose(segment.audio, cut * (0.6 / np.abs(cut).max()), atol=1e-6)


def test_the_audio_of_an_utterance_is_not_changed_any_more(run):
    for name in ("quality", "boundary", "transcribe", "consensus", "punctuate"):
        for one, two in zip(run.after["diarize"].live_segments, run.after[name].live_segments, strict=True):
            np.testing.assert_array_equal(one.audio, two.audio)
            assert (one.start, one.end, one.speaker) == (two.start, two.end, two.speaker)


def test_what_each_stage_adds(run):
    """Scores and notes by the stage that writes them, and nothing that an earlier stage wrote is lost."""
    rows = {
        "loudness": set(),
        "denoise": {"denoise.snr_db"},
    }
    for name, expected in rows.items():
        assert set(run.after[name].scores) == expected
    systems = ("whisper-base", "moonshine-tiny", "whisper-tiny.en")
    added = {
        "quality": {f"quality.{name}" for name in ("snr_db", "bandwidth_hz", "clipped_share")}
        | {f"quality.dnsmos.{key}" for key in ("sig", "bak", "ovrl")},
        "boundary": {"boundary.start", "boundary.end", "boundary.cut"},
        "transcribe": {"transcribe.systems", "language.probability"},
        "consensus": {"pwer", "pwer.systems", "consensus.outlier", "confidence", "confidence.calibrated", "text.words"}
        | {f"pwer.{system}" for system in systems}
        | {f"text.{name}" for name in ("characters_per_second", "compression_ratio", "repeated_trigram_share")}
        | {"text.no_speech_probability"},
        "punctuate": set(),
    }
    for (before, name), scores in zip(itertools.pairwise(["diarize", *added]), added.values(), strict=True):
        for one, two in zip(run.after[before].live_segments, run.after[name].live_segments, strict=True):
            assert set(two.scores) - set(one.scores) == scores
            assert one.scores.items() <= two.scores.items()
            assert one.notes.items() <= two.notes.items()


def test_hypotheses_reach_consensus_unchanged(run):
    for one, two in zip(run.after["transcribe"].live_segments, run.after["consensus"].live_segments, strict=True):
        assert one.hypotheses == two.hypotheses
        assert [item.system for item in two.hypotheses] == ["whisper-base", "moonshine-tiny", "whisper-tiny.en"]
        assert one.text == ""
        words = {normalizer_for("en").clean(item.text) for item in two.hypotheses}
        assert set(normalizer_for("en").units(two.text)) <= set(" ".join(words).split())


def test_the_text_is_what_was_read(run):
    english = normalizer_for("en")
    read = " ".join(LIBRIVOX[number].with_suffix(".lab").read_text() for number in CHOSEN)
    assert jiwer.wer(english.clean(read), english.clean(" ".join(item.text for item in final(run)))) < 0.1


def test_words_are_those_of_the_text_at_times_of_the_recording(run):
    for segment in final(run):
        assert [word.text for word in segment.words] == split(segment.text).words
        times = [time for word in segment.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert segment.start <= times[0] < times[-1] <= segment.end
        for word in segment.words:  # where a word is there is a voice
            spoken = run.decoded[word.start - BEFORE * 16_000 : word.end - BEFORE * 16_000]
            assert np.sqrt(np.mean(spoken**2)) > 0.003


def test_edits_refer_to_the_text_of_consensus(run):
    for one, two in zip(run.after["consensus"].live_segments, final(run), strict=True):
        assert revert(two.text, two.edits) == one.text
        words = split(one.text).words
        assert all(0 <= edit.position < len(words) for edit in two.edits)
        for edit in two.edits:
            if edit.kind == "recase":
                assert words[edit.position] == edit.before
            else:
                assert split(one.text).gaps[edit.position + 1] == edit.before


def test_nothing_is_left_without_a_score_that_the_rules_ask_for(run):
    from curation.pipeline.rules import rules_of

    asked = {rule.score for rule in rules_of(load_config()) if rule.required}
    asked.discard("consensus.self_inconsistency")  # of a language that one system alone speaks
    assert {"boundary.cut", "text.words", "transcribe.systems"} <= asked
    for segment in final(run):
        assert asked | {"pwer"} <= set(segment.scores)


def test_everything_that_is_stored_is_declared(run):
    stored = [*final(run), run.after["punctuate"]]
    for item in stored:
        assert item.scores
        assert [name for name in item.scores if not declared(name, tuple(declared_scores()))] == []
        assert [name for name in item.notes if not declared(name, tuple(declared_notes()))] == []
    heard = [hypothesis for segment in final(run) for hypothesis in segment.hypotheses]
    own = tuple(score for score in declared_scores() if score.of == "hypothesis")
    assert all(item.scores and all(declared(name, own) for name in item.scores) for item in heard)


def test_what_a_stage_declares_it_writes(run, denoiser_stage, diarizer, quality_stage, transcriber, punctuator):
    """All but what depends on the recording: what was left out or failed, the outlier's name, voices of short ones."""
    rare = {"transcribe.left_out", "consensus.failed", "consensus.outlier", "diarize.homogeneity"}
    rare |= {"reference.wer", "reference.wer.*", "consensus.reference"}  # of a transcript that is checked
    rare |= {"consensus.self_inconsistency", "transcribe.alone", "diarize.speech_before", "diarize.speech_after"}
    row = run.after["punctuate"]
    for stage in (denoiser_stage, diarizer, quality_stage, Boundary(), transcriber, Consensus(), punctuator):
        for record in (*stage.scores, *stage.notes):
            if record.name in rare:
                continue
            for item in [row] if record.of == "recording" else final(run):
                assert any(fnmatch(name, record.name) for name in (*item.scores, *item.notes)), record.name
