"""Evaluation with speech models that answer from a list, with known errors, and the real judges."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.core.errors import ConfigError, ServiceError
from curation.stages.transcribe.whisper import Whisper
from curation.tokenize.base import CodecTokens
from curation.tokenize.compact.codec import CompactCodec
from curation.train.evaluate.judges import PIECE_SECONDS, EncoderJudge, WhisperRecogniser
from curation.train.evaluate.report import report, utterance_row
from curation.train.evaluate.run import Judges, evaluate
from curation.train.evaluate.sets import Item, read_set
from curation.train.infer.files import read_recording
from tests.support import real_speech
from tests.train.evaluate.parrot import Deaf, FirstSample, Parrot, WrittenSpeech, written

LIBRIVOX = Path(__file__).parents[2] / "data" / "librivox"


def test_asr_rates_are_the_known_errors(clips):
    model = Parrot(["1, 2, 3!", "go home now", "nein", "你好"])
    results = list(evaluate(clips, ["asr"], model, Judges(), batch=3))
    assert model.batches == [3, 1]
    rows = {row.language: row for row in report(results, Judges()).rows}
    assert rows["en"].wer.value == pytest.approx(1 / 5)
    assert rows["de"].wer.value == 1.0
    assert rows["zh"].wer is None
    assert rows["zh"].cer.value == 0.0
    assert {row.normalizer for row in rows.values()} == {"whisper-english", "unicode", "unicode-one-script"}
    assert rows["en"].similarity is None


def test_tts_is_transcribed_and_compared_with_the_reference(clips):
    spoken = {
        "one two three": written("one two"),
        "go home": written("go home"),
        "ja": written("ja"),
        "你好": written("x"),
    }
    judges = Judges(WrittenSpeech(), FirstSample())
    results = list(evaluate(clips[:3], ["tts"], Parrot(recordings=spoken), judges))
    assert [result.hypothesis for result in results] == ["one two", "go home", "ja"]
    signs = [float(read_recording(result.item.reference)[0] > 0) for result in results]
    assert results[0].item.reference == clips[2].path
    assert [result.similarity for result in results] == signs
    rows = report(results, judges).rows
    assert [row.wer.value for row in rows] == [0.0, pytest.approx(1 / 5)]


def test_tts_is_told_what_its_references_say_where_that_is_asked_for(clips):
    judges = Judges(WrittenSpeech(), FirstSample())
    parrot = Parrot(recordings={clip.text: written("x") for clip in clips})
    results = list(evaluate(clips[:3], ["tts"], parrot, judges, reference_texts=True))
    assert parrot.transcripts == ["ja", "go home", "one two three"]  # by the same speaker, else itself
    assert utterance_row(results[0])["reference_text"] == "ja"
    assert report(results, judges).about["references"] == "the model was told what they say (tts)"
    results = list(evaluate(clips[:3], ["tts"], parrot, judges))
    assert parrot.transcripts == ["", "", ""]
    assert utterance_row(results[0])["reference_text"] is None
    assert "references" not in report(results, judges).about


def test_references_whose_words_are_not_known_are_named(clips):
    known = [replace(clip, reference=clip.path, reference_text="words") for clip in clips]
    silent = [*known[:2], replace(known[2], reference_text="")]
    judges = Judges(WrittenSpeech(), FirstSample())
    with pytest.raises(ConfigError, match=r"1 items do not tell what their reference says, e\.g\. u2: add a column"):
        next(evaluate(silent, ["tts"], Parrot(), judges, reference_texts=True))


def test_vc_is_compared_with_both_voices(clips):
    judges = Judges(Deaf(), FirstSample())
    results = list(evaluate(clips, ["vc"], Parrot(), judges))
    for result in results:
        source, target = read_recording(result.item.path), read_recording(result.item.reference)
        assert result.item.path != result.item.reference
        assert result.similarity == 1.0
        assert result.source_similarity == float((source[0] > 0) == (target[0] > 0))


def test_what_cannot_be_read_fails_by_itself(clips):
    Path(clips[1].path).write_bytes(b"nothing")
    results = list(evaluate(clips[:3], ["asr"], Parrot(["one two three", "ja"]), Judges()))
    assert [bool(result.error) for result in results] == [False, True, False]
    english = next(row for row in report(results, Judges()).rows if row.language == "en")
    assert (english.utterances, english.failed, english.wer.value) == (2, 1, 0.0)


def test_where_the_model_breaks_that_utterance_alone_fails(clips):
    """It has no words for the second text."""
    judges = Judges(WrittenSpeech(), FirstSample())
    spoken = {"one two three": written("one two three"), "ja": written("ja")}
    results = list(evaluate(clips[:3], ["tts"], Parrot(recordings=spoken), judges))
    assert [result.error for result in results] == ["", "KeyError('go home')", ""]
    english = next(row for row in report(results, judges).rows if row.language == "en")
    assert (english.utterances, english.failed, english.wer.value) == (2, 1, 0.0)
    row = utterance_row(results[1])
    unknown = ("hypothesis", "normalized_hypothesis", "word_deletions", "similarity", "seconds", "compute_seconds")
    assert {row[name] for name in unknown} == {None}


def test_a_server_that_does_not_answer_is_no_failure_of_an_utterance(clips):
    class Alone(Parrot):
        def transcribe(self, waves):  # noqa: ARG002 - the protocol's name for it
            raise ServiceError("nobody is there")  # noqa: EM101

    with pytest.raises(ServiceError, match="nobody"):
        list(evaluate(clips, ["asr"], Alone(), Judges()))


def test_a_task_says_what_it_lacks(clips):
    with pytest.raises(ValueError, match="a model"):
        list(evaluate(clips, ["asr"], None, Judges()))
    with pytest.raises(ValueError, match="a codec"):
        list(evaluate(clips, ["codec"], None, Judges(WrittenSpeech(), FirstSample())))
    silent = [Item("u", "x", "en", reference=clips[0].path)]
    with pytest.raises(ConfigError, match="recording of each text"):
        list(evaluate(silent, ["asr"], Parrot(), Judges()))


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """Two sentences of LibriVox as a manifest."""
    rows = []
    for flac in sorted(LIBRIVOX.glob("*.flac"))[1::3]:
        text = flac.with_suffix(".lab").read_text().strip()
        rows.append({"path": str(flac), "transcript": text, "language": "en", "speaker": "reader"})
    file = tmp_path_factory.mktemp("set") / "set.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_the_real_judges_hear_the_text_and_know_the_voice(sentences):
    judges = Judges(WhisperRecogniser(), EncoderJudge(), CompactCodec())
    items = read_set(str(sentences))
    other = real_speech.wave(real_speech.TWO_CITIES)[: 3 * 16000]
    played = {item.text: other if at else read_recording(item.path) for at, item in enumerate(items)}
    results = list(evaluate(items, ["tts", "recording", "codec"], Parrot(recordings=played), judges))
    tts, recording, codec = (results[at : at + 2] for at in (0, 2, 4))
    assert tts[0].comparison.words.total <= 2
    assert tts[1].comparison.words.total > 5
    assert tts[0].similarity > 0.8
    assert tts[1].similarity < 0.14  # another voice, 0.10; through the compact codec a voice keeps 0.35 and 0.19
    assert all(result.comparison.words.total <= 2 for result in recording)
    assert all(0.14 < result.similarity < own.similarity for result, own in zip(codec, recording, strict=True))


def test_a_swap_is_the_source_with_the_voice_of_its_reference(sentences):
    codec = CompactCodec()
    items = [replace(item, speaker=f"reader {at}") for at, item in enumerate(read_set(str(sentences)))]
    results = list(evaluate(items, ["swap"], None, Judges(Deaf(), FirstSample(), codec)))
    one, other = codec.encode([read_recording(item.path) for item in items])
    for result, own, voice in zip(results, (one, other), (other, one), strict=True):
        (expected,) = codec.decode([CodecTokens(own.semantic, voice.global_)])
        np.testing.assert_allclose(result.speech, expected, atol=1e-5)
        assert not np.isnan([result.similarity, result.source_similarity]).any()
    with pytest.raises(ConfigError, match="no recording to take the voice from"):
        list(evaluate(read_set(str(sentences)), ["swap"], None, Judges(Deaf(), FirstSample(), codec)))


def test_what_is_heard_at_once_is_what_is_heard_by_itself(monkeypatch):
    waves = [wave[:16_000] for wave in real_speech.librivox()[:4]]
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    alone = WhisperRecogniser("whisper-tiny.en").hear(waves, ["en"] * 4)
    assert len(set(alone)) == 4
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    two, transcribe = threading.Barrier(2, timeout=30), Whisper.transcribe
    monkeypatch.setattr(Whisper, "transcribe", lambda *given: (two.wait(), transcribe(*given))[1])
    assert WhisperRecogniser("whisper-tiny.en").hear(waves, ["en"] * 4) == alone


@pytest.mark.slow
def test_speech_of_any_length_can_be_judged():
    recogniser, speakers = WhisperRecogniser("whisper-tiny.en"), EncoderJudge()
    sentence = real_speech.librivox()[0]
    endless = np.tile(sentence, 5)
    assert len(endless) > PIECE_SECONDS * 16000
    heard = recogniser.hear([endless, np.zeros(0, np.float32)], ["en", "en"])
    assert len(heard[0].split()) > 60
    assert heard[1] == ""
    lengths = np.linalg.norm(speakers.embed([endless, np.zeros(100, np.float32)]), axis=1)
    assert lengths[0] == pytest.approx(1.0)
    assert np.isnan(lengths[1])


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_command(sentences, tmp_path):
    done = run(sentences, "--tasks", "recording", "--json", "-o", tmp_path / "out", "--limit", 1, "--save-audio")
    assert done.exit_code == 0
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["task"], row["utterances"]) == ("recording", 1)
    assert row["wer"]["value"] < 0.2
    assert len(list((tmp_path / "out" / "recording").glob("*.wav"))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tasks", "asr"], "need a model"),
        (["--tasks", "singing"], "choose of"),
        (["--normalizer", "mine", "--tasks", "recording"], "choose of"),
        (["--tasks", "recording", "--save-audio"], "--output"),
    ],
)
def test_wrong_usage_is_explained(sentences, arguments, message):
    done = run(sentences, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr.replace("\n", " ")
