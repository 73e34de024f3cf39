"""speech_tokenizers.json: written, read, and what is done where it says too little."""

import json
import shutil

import pytest

from curation.core.errors import ConfigError
from curation.train.checkpoint.speech_info import FILE, SpeechInfo, TokenizerInfo, absolute, references
from tests.support.streams import TOKENIZERS, toy_speech


@pytest.mark.parametrize(("denoise", "cuts"), [(None, None), ({"choose": "never"}, {"max_seconds": 8.0})])
def test_what_is_written_is_read_back(tmp_path, denoise, cuts):
    info = TokenizerInfo("hf:some/content@abc", "compact", TOKENIZERS, denoise, cuts)
    info.write(tmp_path)
    assert TokenizerInfo.read(tmp_path) == info
    assert json.loads((tmp_path / FILE).read_text()).keys() == {"glm", "bicodec", "tokenizers", "denoise", "cuts"}


def test_a_folder_without_the_file_says_nothing(tmp_path):
    assert TokenizerInfo.read(tmp_path) == TokenizerInfo("", "")
    assert TokenizerInfo.read(tmp_path).fingerprints == {}


def test_fingerprints_are_those_that_are_known():
    assert TokenizerInfo("a", "b", TOKENIZERS).fingerprints == {"glm": "1", "bicodec": "2"}
    assert TokenizerInfo("a", "b", {"glm": {"fingerprint": "1"}, "bicodec": {"size": 3}}).fingerprints == {"glm": "1"}


def test_a_checkpoint_carries_its_vocabulary(tmp_path):
    speech = toy_speech()
    speech.save(tmp_path / "first")
    first = SpeechInfo.load(tmp_path / "first")
    (tmp_path / "second").mkdir()
    shutil.rmtree(tmp_path / "first")  # as older checkpoints are
    first.save(tmp_path / "second")  # from files, not from a vocabulary that is made
    second = SpeechInfo.load(tmp_path / "second")
    assert speech.vocabulary.fingerprint == first.vocabulary.fingerprint == second.vocabulary.fingerprint
    assert speech.tokenizers == first.tokenizers == second.tokenizers


@pytest.mark.parametrize("content", [None, {"glm": "compact", "bicodec": "compact"}])
def test_training_resumes_only_from_checkpoints_that_describe_their_tokenizers(tmp_path, content):
    toy_speech().save(tmp_path)
    (tmp_path / FILE).unlink()
    if content is not None:
        (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"speech_tokenizers\.json is missing or does not describe"):
        SpeechInfo.load(tmp_path)


def test_references_are_those_given_then_those_of_the_index():
    described = {
        "glm": {"fingerprint": "1", "reference": "hf:a@1"},
        "bicodec": {"fingerprint": "2", "reference": "hf:b@1"},
    }
    assert references("shards", {"glm": None, "bicodec": None}, described) == ("hf:a@1", "hf:b@1")
    assert references("shards", {"glm": "hf:c@1", "bicodec": None}, described) == ("hf:c@1", "hf:b@1")


def test_unnamed_tokenizers_are_the_shipped_ones_only_by_their_fingerprint():
    from curation.tokenize.registry import load_codec, load_content

    shipped = {
        "glm": {"fingerprint": load_content("compact").fingerprint},
        "bicodec": {"fingerprint": load_codec("compact").fingerprint},
    }
    nothing = {"glm": None, "bicodec": None}
    assert references("shards", nothing, shipped) == ("compact", "compact")
    with pytest.raises(ConfigError, match=r"which bicodec tokenizer .* set speech\.bicodec"):
        references("shards", nothing, shipped | {"bicodec": {"fingerprint": "0"}})


def test_only_folders_that_are_here_become_absolute(tmp_path, monkeypatch):
    (tmp_path / "tokens").mkdir()
    monkeypatch.chdir(tmp_path)
    assert absolute("tokens") == str(tmp_path / "tokens")
    assert absolute("compact") == "compact"
    assert absolute("hf:a/b@c") == "hf:a/b@c"


def test_a_folder_or_a_generation_in_one_is_named_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "other@3").mkdir()
    monkeypatch.chdir(tmp_path)
    assert absolute("corpus") == str(tmp_path / "corpus")
    assert absolute("corpus@2") == str(tmp_path / "corpus@2")
    assert absolute("other@3") == str(tmp_path / "other@3")
    for reference in ("hf:org/model@12", "s3://bucket/corpus@2", "corpus@main", "@2", "nothing@2"):
        assert absolute(reference) == reference
