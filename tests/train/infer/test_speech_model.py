"""The three calls and their streams, on the trainer's checkpoints and on official ones.

`train/infer/tokenizers.py` through them.
"""

import json
import logging
import shutil

import numpy as np
import pytest

from curation.audio.levels import levelled
from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError, DataError
from curation.tokenize.base import CodecTokens
from curation.train.checkpoint.folder import find_parts
from curation.train.checkpoint.places import MARKER
from curation.train.evaluate.serving import describe
from curation.train.infer import long_text
from curation.train.infer.sampling import PAPER, Sampling
from curation.train.infer.speech_model import SpeechModel
from curation.train.infer.streaming import Chunking
from curation.train.infer.tokenizers import VoiceSample
from tests.support.checkpoints.speech import random_qwen3, write_official
from tests.support.real_speech import BECKETT, TWO_CITIES, librivox, wave

VOICE = librivox()[0][:32_000]
OTHER = wave(BECKETT)[:32_000]


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    folder = write_official(tmp_path_factory.mktemp("official"))
    return folder, SpeechModel.open(folder)


@pytest.fixture(params=["ours", "official"])
def either(request, model, official):
    return model if request.param == "ours" else official[1]


def test_texts_do_not_depend_on_the_batch_and_streams_join_to_them(either):
    waves = [OTHER[:20_000], VOICE[:9_000], VOICE[5_000:25_000]]
    texts = either.transcribe(waves)
    assert texts == [either.transcribe([item])[0] for item in waves]
    assert len(set(texts)) == len(texts)
    assert [("".join(either.transcribe_stream(item))) for item in waves] == texts


@pytest.mark.parametrize("sampling", [PAPER, Sampling(1.0, 0.9, 1.1, seed=3)])
def test_speech_streams_join_to_speech(either, sampling):
    text = "A few words."
    whole = either.speak([text], [VOICE], sampling)[0]
    chunks = list(either.speak_stream(text, VOICE, sampling, Chunking(first=10, largest=40)))
    assert len(whole) > 0
    assert whole.dtype == np.float32
    assert len(chunks) > 2 or len(whole) < 20_000
    np.testing.assert_allclose(np.concatenate(chunks), whole, rtol=0, atol=2e-5)


def test_conversion_streams_join_to_conversion(either):
    source = OTHER[:12_000]
    whole = either.convert([source], [VOICE])[0]
    np.testing.assert_allclose(np.concatenate(list(either.convert_stream(source, VOICE))), whole, rtol=0, atol=2e-5)


def test_speech_is_sampled_as_in_the_paper_where_a_call_does_not_say(model):
    default, paper, other = (model.speak(["One."], [VOICE], how)[0] for how in (None, PAPER, Sampling(0.2)))
    np.testing.assert_array_equal(default, paper)
    assert not np.array_equal(default, other)


def test_items_do_not_depend_on_the_batch(model):
    texts, voices = ["One.", "Two and three.", "One."], [VOICE, OTHER, VOICE]
    together = model.speak(texts, voices)
    np.testing.assert_array_equal(together[0], together[2])
    for text, voice, speech in zip(texts, voices, together, strict=True):
        np.testing.assert_allclose(model.speak([text], [voice])[0], speech, rtol=0, atol=2e-5)


def test_a_reference_is_a_wave_or_its_global_ids_and_may_serve_all(model):
    voice = model.voice(VOICE)
    assert voice.dtype == np.int32
    assert len(voice) == 32
    assert len(np.unique([len(VOICE), len(OTHER)])) == 1
    np.testing.assert_array_equal(model.voice(VOICE * 0.1), voice)  # loudness is not part of a voice
    first, second = model.speak(["Yes.", "Yes."], [voice])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(model.speak(["Yes."], [VOICE])[0], first)
    with pytest.raises(ValueError, match="2 references for 3 items"):
        model.speak(["a", "b", "c"], [voice, voice])
    with pytest.raises(ValueError, match="2 transcripts for 1 references"):
        model.speak(["a"], [voice], transcripts=["", ""])
    with pytest.raises(ValueError, match="2 languages for 3 items"):
        model.speak(["a", "b", "c"], [voice], languages=["en", "de"])


class Listening:
    """The engine of a model, and the requests that it gets."""

    def __init__(self, engine):
        self.engine, self.asked = engine, []

    def run(self, requests):
        self.asked += requests
        return self.engine.run(requests)


def test_speech_goes_on_from_a_reference_whose_text_is_known(either):
    clip, greedy = OTHER[:16_000], Sampling()
    listening = Listening(either.engine)
    spoken = SpeechModel(either.tokenizers, listening).speak(["Yes."], [clip], greedy, ["en"], ["Line 3."])[0]
    (asked,) = listening.asked
    vocabulary, tokens = either.vocabulary, either.codec.encode([either.tokenizers.prepared(clip)])[0]
    m = vocabulary.markers
    expected = [m["start_global_token"], *vocabulary.speech_ids("global_", tokens.global_), m["end_global_token"]]
    expected += [m["start_content"], *vocabulary.text_ids("Line three. Yes."), m["end_content"]]
    expected += [m["start_semantic_token"], *vocabulary.speech_ids("semantic", tokens.semantic)]
    assert asked.prompt.tolist() == expected
    answer = either.engine.run([asked])[0]
    codes = vocabulary.codes("semantic", np.array(answer.ids, np.int32))
    new = either.codec.decode([CodecTokens(codes, tokens.global_)])[0]
    np.testing.assert_allclose(spoken, next(levelled([new])), rtol=0, atol=2e-5)
    sample = either.voice_sample(clip, "Line 3.")
    np.testing.assert_array_equal(either.speak(["Yes."], [sample], greedy, ["en"])[0], spoken)
    chunks = list(either.speak_stream("Yes.", clip, greedy, language="en", transcript="Line 3."))
    np.testing.assert_allclose(np.concatenate(chunks), spoken, rtol=0, atol=2e-5)
    assert not np.array_equal(either.speak(["Yes."], [clip], greedy, ["en"])[0], spoken)


def test_each_reference_has_its_own_transcript_or_none(model):
    clips = [VOICE[:16_000], OTHER[:16_000]]
    both = model.speak(["Yes.", "No."], clips, Sampling(), transcripts=["One.", ""])
    alone = (
        model.speak(["Yes."], clips[:1], Sampling(), transcripts=["One."])[0],
        model.speak(["No."], clips[1:], Sampling())[0],
    )
    for speech, expected in zip(both, alone, strict=True):
        np.testing.assert_allclose(speech, expected, rtol=0, atol=2e-5)
    sample = model.voice_sample(clips[0], "One.")
    np.testing.assert_array_equal(model.voice(sample), model.voice(clips[0]))
    np.testing.assert_array_equal(model.convert([OTHER], [sample])[0], model.convert([OTHER], [clips[0]])[0])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (np.zeros(32, np.int32), "'One.' is of a recording: give that as reference, not ids"),
        (VoiceSample(np.zeros(32, np.int32)), "not ids of its voice"),
        (np.tile(VOICE, 11), "22.00 s: with its transcript it must be one utterance of 0.025 to 20 s: cut it"),
        (VOICE[:300], "0.02 s: with its transcript"),
    ],
)
def test_a_transcript_is_of_one_recorded_utterance(model, reference, message):
    with pytest.raises(DataError, match=message):
        model.speak(["Yes."], [reference], transcripts=["One."])


def test_no_transcript_leaves_a_sample_as_it_is(model):
    sample = model.voice_sample(VOICE, "One.")
    assert model.voice_sample(sample, " ") is sample


INTEGERS = (VOICE * 32767).astype(np.int16)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (INTEGERS, "floats from -1 to 1 .* not int16 .*read_recording, or divide int16 by 32768"),
        (INTEGERS[:31], r"not int16 of shape \(31,\)"),
        (VOICE[None], "of shape"),
        (np.full(32, 10**6, np.int32), r"global ids from 1000000 to 1000000: .* make them anew with .*voice\(\)"),
        (np.full(9_000, np.nan, np.float32), "NaN or infinite"),
    ],
)
def test_what_is_neither_a_wave_nor_a_voice_is_refused(model, reference, message):
    with pytest.raises(DataError, match=message):
        model.speak(["Yes."], [reference])


def test_samples_as_integers_are_refused_everywhere(model):
    for call in (lambda: model.transcribe([INTEGERS]), lambda: model.convert([INTEGERS], [VOICE])):
        with pytest.raises(DataError, match="divide int16 by 32768"):
            call()


def test_long_audio_and_long_text_are_worked_on_in_pieces(model, monkeypatch):
    monkeypatch.setattr(long_text, "MAX_SECONDS", 4.0)
    monkeypatch.setattr(long_text.split_text, "__defaults__", (60,))  # letters: a random model speaks as long as it may
    long = wave(TWO_CITIES)[: 5 * SAMPLE_RATE]
    whole = model.transcribe([long])[0]
    assert "".join(model.transcribe_stream(long)) == whole
    text = "A sentence of some length, no more. " * 2
    speech = model.speak([text], [VOICE])[0]
    np.testing.assert_allclose(np.concatenate(list(model.speak_stream(text, VOICE))), speech, rtol=0, atol=2e-5)
    assert model.engine.cache.num_free == model.engine.cache.slots


def test_nothing_in_nothing_out(model):
    empty = np.zeros(0, np.float32)
    assert model.transcribe([]) == []
    assert model.transcribe([empty, empty]) == ["", ""]
    assert [len(item) for item in model.speak(["", " "], [VOICE])] == [0, 0]
    assert len(model.convert([empty], [VOICE])[0]) == 0
    assert list(model.speak_stream("", VOICE)) == []


def test_speech_that_cannot_begin_leaves_no_request(official):
    model = official[1]
    ids = model.voice(VOICE)
    with pytest.raises(ValueError, match="5 global ids, expected 32"):
        next(model.speak_stream("Yes.", VoiceSample(ids[:5])))
    model.engine.use(model.engine.decoder)  # raises while a request is there


def test_truncation_at_the_limit_is_logged(model, caplog):
    with caplog.at_level(logging.WARNING, "curation.train"):
        transcripts = model.transcripts([VOICE[:4_000], VOICE[:16_000], OTHER])
    reached = [record for record in caplog.records if "reached its limit" in record.message]
    assert len(reached) == sum(not transcript.complete for transcript in transcripts)
    assert reached


def test_each_task_gives_only_its_own_tokens(model):
    speech = model.vocabulary.streams["semantic"]
    assert model.speech_ids.body == speech
    assert model.text_ids.body == range(256)
    assert set(model.text_ids.ends) == {model.vocabulary.markers["end_content"], model.vocabulary.end}
    assert not set(model.text_ids.body) & set(speech)


def test_an_official_folder_is_taken_apart_by_what_its_files_say(official):
    folder, model = official
    parts = find_parts(folder)
    assert (parts.model, parts.tokenizers.glm, parts.tokenizers.bicodec) == (
        folder,
        str(folder / "glm-4-voice-tokenizer"),
        str(folder / "BiCodec"),
    )
    assert model.codec.name == "bicodec"
    assert model.content.codebook_size == 512
    assert model.vocabulary.streams["semantic"] == range(172_207, 180_399)
    assert model.speech_ids.body == range(172_207, 172_207 + 1024)


def test_tokenizers_may_lie_inside_our_folder_too(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "moved")
    (folder / "speech_tokenizers.json").write_text(json.dumps({"glm": "glm", "bicodec": "compact"}))
    (folder / "glm").mkdir()
    assert find_parts(folder).tokenizers.glm == str(folder / "glm")
    assert find_parts(folder).tokenizers.bicodec == "compact"


def test_the_folder_of_a_run_stands_for_its_last_checkpoint(checkpoint, tmp_path):
    for step in (2, 10):
        folder = shutil.copytree(checkpoint, tmp_path / "run" / "checkpoints" / f"step-{step:08d}")
        (folder / MARKER).touch()
    assert find_parts(tmp_path / "run").model == folder


def test_sharded_weights_are_read(checkpoint, tmp_path, model):
    folder = tmp_path / "sharded"
    shutil.copytree(checkpoint, folder)
    (folder / "model.safetensors").unlink()
    random_qwen3(model.vocabulary.size).save_pretrained(folder, max_shard_size="1MB")
    assert (folder / "model.safetensors.index.json").is_file()
    assert SpeechModel.open(folder).transcribe([VOICE[:9_000]]) == model.transcribe([VOICE[:9_000]])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "no language model"),
        ("model.safetensors", None, "no weights"),
        ("tokenizer.json", None, "no tokenizer"),
        ("speech_tokenizers.json", None, "no speech_tokenizers.json"),
        ("config.json", {"vocab_size": 100}, "embed_tokens.weight .* instead of"),
        ("config.json", {"head_dim": 16}, "wrong shape"),
        ("config.json", {"num_hidden_layers": 4}, "missing: model.layers.3"),
        ("config.json", {"num_hidden_layers": 2}, "extra: model.layers.2"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(checkpoint, tmp_path, file, content, message):
    folder = shutil.copytree(checkpoint, tmp_path / "broken")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | content))
    with pytest.raises(ValueError, match=message):
        SpeechModel.open(folder)


def test_a_model_that_is_smaller_than_its_vocabulary_is_refused(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "small")
    random_qwen3(500).save_pretrained(folder)
    with pytest.raises(ValueError, match="vocab_size 500, the tokenizer files 10761"):
        SpeechModel.open(folder)


def test_a_tokenizer_with_more_codes_than_the_vocabulary_is_refused(tmp_path):
    from tests.support.checkpoints.speech import write_checkpoint

    model = SpeechModel.open(write_checkpoint(tmp_path / "small", semantic=100))
    with pytest.raises(ValueError, match="8192 semantic codes, the checkpoint's vocabulary 100"):
        model.speak(["Yes."], [VOICE])


def test_tokenizers_other_than_those_of_training_are_refused(checkpoint, tmp_path, model):
    folder = shutil.copytree(checkpoint, tmp_path / "other")
    described = {"glm": {"fingerprint": model.content.fingerprint}, "bicodec": {"fingerprint": "0" * 64}}
    listed = {"glm": "compact", "bicodec": "compact", "tokenizers": described | {"fingerprint": "1" * 64}}
    (folder / "speech_tokenizers.json").write_text(json.dumps(listed))
    other = SpeechModel.open(folder)
    assert other.content.name == "compact-content"
    with pytest.raises(ValueError, match="trained on tokens of the bicodec tokenizer 000000000000"):
        other.speak(["Yes."], [VOICE])


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        SpeechModel.open(tmp_path / "nowhere")


def test_weights_in_8_bits_answer_for_a_cpu_only(checkpoint):
    rounded = SpeechModel.open(checkpoint, dtype="int8")
    assert rounded.speak(["One."], [VOICE])[0].dtype == np.float32
    assert describe(rounded)["dtype"] == "int8"
    with pytest.raises(ConfigError, match="on an x86 CPU only, not on cuda"):
        SpeechModel.open(checkpoint, dtype="int8", device="cuda")
