"""The loader on the shards of a build with the compact tokenizers."""

import json

import pytest

from curation.config import TokenizeConfig
from curation.tokenize.layouts import Asr, Tts, decode
from curation.train.corpus import vocabulary_for
from curation.train.dataset import DataConfig, PackedLoader
from tests.builds import rows, toy_build, toy_config, write_recordings
from tests.train.test_loader import samples_of


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    recordings = write_recordings(folder / "in", ["one", "two", "three"])
    config = toy_config().model_copy(update={"tokenize": TokenizeConfig()})
    toy_build(recordings, folder / "out", config)
    return folder / "out"


def test_all_tokens_of_the_shards_arrive(built):
    utterances = {row["id"]: row for row in rows(built, "shards")}
    vocabulary = vocabulary_for(str(built), text_size=300)
    loader = PackedLoader(str(built), vocabulary, DataConfig(epochs=1))
    found = [(key, decode(ids, vocabulary)) for batch in loader for _, key, ids, _, _ in samples_of(batch)]
    assert len(found) == 3 * len(utterances) > 9
    for key, example in found:
        row = utterances[key.split()[1]]
        if isinstance(example, Asr):
            assert (example.glm.tolist(), example.text) == (row["glm"], row["text"])
        semantic = example.semantic if isinstance(example, Asr | Tts) else example.target
        assert semantic.tolist() == row["semantic"]


def test_the_index_says_where_the_tokenizers_come_from(built):
    index = json.loads((built / "shards/_index.json").read_text())
    assert index["tokenizers"]["glm"]["reference"] == index["tokenizers"]["bicodec"]["reference"] == "compact"
    assert index["row_group_rows"] == 512
