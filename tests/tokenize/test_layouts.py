"""The vocabulary and the three task layouts: exact ids, and encode and decode as inverses."""

import json
import shutil
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from curation.tokenize.layouts import STREAMS, Asr, Clone, Tts, Vc, decode, encode, lay_out
from curation.tokenize.vocabulary import MARKERS, OFFICIAL, Vocabulary, load_vocabulary, make_vocabulary
from tests.support.texts.characters import ANY

CORPUS = ["the north wind and the sun", "a quick brown fox", "they disagreed, and the wind blew"] * 20
MARKER_IDS = {name: 180_399 + i for i, name in enumerate(MARKERS)} | {"im_end": 151_645}


@pytest.fixture(scope="module")
def small():
    return make_vocabulary(glm=20, global_=9, semantic=30, texts=CORPUS, text_size=300)


def write_official(folder, *, spelled=True, drop=(), layout="tokenizer.json"):
    """Tokenizer files as GPA's checkpoint has them, with a small BPE in place of Qwen's; ids are the official ones."""
    folder.mkdir(parents=True, exist_ok=True)
    text = make_vocabulary(glm=1, global_=1, semantic=1, texts=CORPUS, text_size=300).text
    added = {f"<|{name}|>": number for name, number in MARKER_IDS.items() if name not in drop}
    if spelled:
        added |= {f"<|bicodec_semantic_{i}|>": number for i, number in enumerate(OFFICIAL["semantic"])}
        added |= {f"<|bicodec_global_{i}|>": number for i, number in enumerate(OFFICIAL["global_"])}
    if layout == "tokenizer.json":
        text.save(str(folder / "tokenizer.json"))
    else:
        text.model.save(str(folder))
    (folder / "added_tokens.json").write_text(json.dumps(added))
    return folder


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    return load_vocabulary(write_official(tmp_path_factory.mktemp("official")))


def codes(size):
    return st.lists(st.integers(0, size - 1), max_size=12).map(lambda ids: np.array(ids, dtype=np.int32))


TEXT = st.text(ANY, max_size=30).filter(
    lambda text: "\0" not in text and text == text.encode("utf-8", "ignore").decode()
)
EXAMPLES = st.one_of(
    st.builds(Asr, codes(20), codes(30), TEXT),
    st.builds(Tts, codes(9), TEXT, codes(30)),
    st.builds(Vc, codes(9), codes(30), codes(30)),
)


def assert_equal(example, expected):
    assert type(example) is type(expected)
    for name in type(example).__slots__:
        np.testing.assert_array_equal(getattr(example, name), getattr(expected, name))


@settings(max_examples=75, deadline=None)
@given(example=EXAMPLES)
def test_decode_is_the_inverse_of_encode(small, official, example):
    for vocabulary in (small, official):
        sequence = encode(example, vocabulary)
        assert_equal(decode(sequence.ids, vocabulary), example)
        assert sequence.ids.dtype == np.int32
        assert sequence.ids.max() < vocabulary.size
        assert sequence.ids[-1] == vocabulary.end


@settings(max_examples=60, deadline=None)
@given(example=EXAMPLES, cut=st.integers(0, 200))
def test_an_incomplete_sequence_is_an_error(small, example, cut):
    ids = encode(example, small).ids
    left = min(cut, len(ids) - 1)
    with pytest.raises(ValueError, match=f"unexpected token at position {left} of {left}"):
        decode(ids[:left], small)


@given(example=EXAMPLES, more=st.integers(0, 300))
def test_a_sequence_that_goes_on_after_its_end_is_an_error(small, example, more):
    ids = encode(example, small).ids
    with pytest.raises(ValueError, match=f"unexpected token at position {len(ids)} of {len(ids) + 1}"):
        decode(np.append(ids, np.int32(more)), small)


@given(example=EXAMPLES)
def test_fields_that_are_encoded_already_give_the_same_sequence(small, example):
    values = {name: getattr(example, name) for name in type(example).__slots__}
    ids = {
        name: small.text_ids(value) if name == "text" else small.speech_ids(STREAMS[name], value)
        for name, value in values.items()
    }
    found, expected = lay_out(type(example), ids, small), encode(example, small)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.loss, expected.loss)


def test_layouts_are_those_of_the_release(official):
    m = MARKER_IDS
    text = list(official.text_ids("wind"))
    asr = encode(Asr(np.array([0, 16_383]), np.array([5]), "wind"), official)
    head = [m["start_glm_token"], 151_727, 168_110, m["end_glm_token"], m["start_semantic_token"], 172_212]
    prompt = [*head, m["end_semantic_token"], m["start_content"]]
    assert list(asr.ids) == [*prompt, *text, m["end_content"], 151_645]
    assert list(asr.prompt) == prompt
    voice = [m["start_global_token"], 168_111, 172_206, m["end_global_token"]]
    tts = encode(Tts(np.array([0, 4_095]), "wind", np.array([8_191])), official)
    assert list(tts.ids) == [*voice, m["start_content"], *text, m["end_content"], 180_398, 151_645]
    assert list(tts.loss) == [False] * (len(tts.ids) - 2) + [True] * 2
    vc = encode(Vc(np.array([0, 4_095]), np.array([1]), np.array([2])), official)
    source = [m["start_semantic_token"], 172_208, m["end_semantic_token"], m["end_content"]]
    assert list(vc.ids) == [*voice, *source, 172_209, 151_645]
    assert list(vc.prompt) == [*voice, *source]
    clone = encode(Clone(np.array([0, 4_095]), "wind", np.array([8_191, 0])), official)
    content = [m["start_content"], *text, m["end_content"], m["start_semantic_token"]]
    assert list(clone.ids) == list(clone.prompt) == [*voice, *content, 180_398, 172_207]


def test_a_prompt_that_goes_on_from_an_utterance_is_no_sample(small):
    prompt = encode(Clone(np.array([1]), "wind", np.array([2, 3])), small).ids
    with pytest.raises(ValueError, match="unexpected token"):
        decode(np.append(prompt, np.int32(small.end)), small)


@pytest.mark.parametrize("text", ["<|im_end|>", "a <|start_content|> b", "<|bicodec_semantic_3|>", "<|end_content|>"])
def test_text_that_spells_a_marker_stays_text(official, small, text):
    for vocabulary in (official, small):
        ids = vocabulary.text_ids(text)
        assert ids.max() < vocabulary.text.get_vocab_size()
        assert decode(encode(Tts(np.array([1]), text, np.array([2])), vocabulary).ids, vocabulary).text == text


def test_markers_come_from_the_files(tmp_path, official):
    assert dict(official.markers) == MARKER_IDS
    assert official.size == 180_399 + len(MARKERS) - 1  # im_end has its own id among Qwen's
    with pytest.raises(ValueError, match=r"lack the markers <\|end_glm_token\|>"):
        load_vocabulary(write_official(tmp_path, drop=["end_glm_token"]))


def test_ids_in_the_tokenizer_configuration_count_and_must_agree(tmp_path):
    folder = write_official(tmp_path, drop=["end_content"])
    number = MARKER_IDS["end_content"]
    decoder = {str(number): {"content": "<|end_content|>", "special": True}}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    assert load_vocabulary(folder).markers["end_content"] == number
    decoder["7"] = {"content": "<|start_content|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    with pytest.raises(ValueError, match=r"disagree on the id of <\|start_content\|>"):
        load_vocabulary(folder)


def test_streams_that_are_not_spelled_out_have_the_official_ids(tmp_path):
    assert load_vocabulary(write_official(tmp_path, spelled=False)).streams == OFFICIAL


def test_a_folder_with_vocab_and_merges_gives_the_same_ids(tmp_path, official):
    qwen = load_vocabulary(write_official(tmp_path, layout="vocab.json"))
    assert qwen.streams == official.streams
    for text in ("the north wind", "they  disagreed,\n 17 foxes", "Straße 東京 🦊"):
        assert qwen.text_of(qwen.text_ids(text)) == text
    np.testing.assert_array_equal(qwen.text_ids("the wind"), official.text_ids("the wind"))


def test_qwen_text_is_normalised_to_nfc(tmp_path):
    qwen = load_vocabulary(write_official(tmp_path, layout="vocab.json"))
    decomposed = "cafe\u0301"
    assert qwen.text_of(qwen.text_ids(decomposed)) == unicodedata.normalize("NFC", decomposed)


def test_missing_tokenizer_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"tokenizer\.json, or vocab\.json and merges\.txt"):
        load_vocabulary(tmp_path)


def test_gaps_and_contradictions_are_errors(tmp_path, small):
    folder = write_official(tmp_path / "a")
    added = json.loads((folder / "added_tokens.json").read_text())
    del added["<|bicodec_global_7|>"]
    (folder / "added_tokens.json").write_text(json.dumps(added))
    with pytest.raises(ValueError, match="stream global_ are not consecutive"):
        load_vocabulary(folder)
    with pytest.raises(ValueError, match="two meanings"):
        Vocabulary(small.text, small.markers, dict(small.streams) | {"semantic": range(280, 310)})


def test_a_saved_vocabulary_is_the_same(tmp_path, small):
    small.save(tmp_path)
    again = load_vocabulary(tmp_path)
    assert again.fingerprint == small.fingerprint
    assert (again.size, again.streams, dict(again.markers)) == (small.size, small.streams, dict(small.markers))
    whole = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))  # what other software reads
    assert whole.token_to_id("<|bicodec_semantic_29|>") == small.streams["semantic"][29] == small.size - 1
    assert whole.get_vocab_size() == small.size
    shutil.rmtree(tmp_path)


def test_the_official_vocabulary_cannot_be_saved_with_other_ids(official, tmp_path):
    with pytest.raises(ValueError, match="gaps"):
        official.save(tmp_path)


def test_bytes_alone_are_a_vocabulary():
    plain = make_vocabulary(glm=4, global_=4, semantic=4)
    assert plain.text.get_vocab_size() == 256
    assert plain.size == 256 + len(MARKERS) + 12
    assert plain.text_of(plain.text_ids("Grüße, 世界!")) == "Grüße, 世界!"


@pytest.mark.parametrize(("stream", "code"), [("glm", 20), ("semantic", -1), ("global_", 9)])
def test_codes_that_a_stream_lacks_are_errors(small, stream, code):
    with pytest.raises(ValueError, match=f"{stream} codes are within"):
        small.speech_ids(stream, np.array([code]))
    with pytest.raises(ValueError, match=f"belong to the stream {stream}"):
        small.codes(stream, np.array([3]))
