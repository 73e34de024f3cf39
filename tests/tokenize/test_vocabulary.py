"""What decides the ids of a vocabulary, and which tokenizer files are understood."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from curation.tokenize.vocabulary import Vocabulary, load_vocabulary, make_vocabulary
from tests.support.texts.characters import ANY
from tests.tokenize.test_layouts import write_official

SIZES = {"glm": 5, "global_": 4, "semantic": 6}


@pytest.fixture(scope="module")
def plain():
    return make_vocabulary(**SIZES)


def test_the_fingerprint_follows_everything_that_decides_ids(plain):
    """Two text tokenizers of one size, other markers, other streams."""
    one, other = (make_vocabulary(**SIZES, texts=[words] * 20, text_size=260) for words in ("aaaa bbbb", "cccc dddd"))
    assert one.markers == other.markers
    assert one.streams == other.streams
    markers = plain.markers | {"im_end": plain.size + 7}
    larger = make_vocabulary(**SIZES | {"semantic": 7})
    found = [plain, one, other, Vocabulary(plain.text, markers, plain.streams), larger]
    assert len({vocabulary.fingerprint for vocabulary in found}) == len(found)
    assert make_vocabulary(**SIZES).fingerprint == plain.fingerprint


@pytest.mark.parametrize("name", ["glm", "glm_token", "audio"])
def test_each_spelling_of_the_content_tokens_is_understood(tmp_path, name):
    folder = write_official(tmp_path)
    added = json.loads((folder / "added_tokens.json").read_text())
    added |= {f"<|{name}_{code}|>": 160_000 + code for code in range(12)}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    assert load_vocabulary(folder).streams["glm"] == range(160_000, 160_012)


@pytest.mark.parametrize("option", ["truncation", "padding", "template"])
def test_text_is_encoded_whole_and_alone_whatever_the_files_ask_for(tmp_path, plain, option):
    """Checkpoints may carry the truncation, padding and templates of their training."""
    plain.save(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    if option == "truncation":
        tokenizer.enable_truncation(4)
    elif option == "padding":
        tokenizer.enable_padding(length=40)
    else:
        tokenizer.post_processor = TemplateProcessing(single="<|im_end|> $A", special_tokens=[("<|im_end|>", 264)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = load_vocabulary(tmp_path)
    np.testing.assert_array_equal(loaded.text_ids("north wind"), plain.text_ids("north wind"))
    assert loaded.fingerprint == plain.fingerprint


@given(st.lists(st.text(ANY, max_size=20), max_size=6))
def test_many_texts_are_encoded_as_each_alone(texts):
    vocabulary = make_vocabulary(**SIZES, texts=["the north wind"] * 5, text_size=262)
    together = vocabulary.text_ids_of(texts)
    assert [ids.tolist() for ids in together] == [vocabulary.text_ids(text).tolist() for text in texts]


@given(st.text(ANY, max_size=40))
def test_the_text_of_the_ids_of_a_text_is_that_text(text):
    vocabulary = make_vocabulary(**SIZES, texts=["the north wind"] * 5, text_size=262)
    assert vocabulary.text_of(vocabulary.text_ids(text)) == text
