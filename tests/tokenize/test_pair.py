"""The tokenizers inside a build: official checkpoints by folder, counts, fingerprints."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from curation.core.errors import DataError
from curation.pipeline.encode import encode_rows
from curation.tokenize.pair import TokenizeConfig, described, load_tokenizers
from tests.support.builds import rows, toy_build, toy_config, write_recordings
from tests.support.dummies import speech


@pytest.fixture(scope="module")
def official(glm_folder, bicodec_folder):
    return TokenizeConfig(glm=str(glm_folder), bicodec=str(bicodec_folder))


def with_tokenizers(tokenize):
    return toy_config().model_copy(update={"tokenize": tokenize})


@pytest.fixture(scope="module")
def built(official, tmp_path_factory):
    folder = write_recordings(tmp_path_factory.mktemp("in"), ["alpha", "beta"])
    out = tmp_path_factory.mktemp("out") / "corpus"
    toy_build(folder, out, with_tokenizers(official))
    return folder, out


def test_shards_hold_the_official_streams(built):
    _, out = built
    published = rows(out, "shards")
    assert published
    for row in published:
        samples = round(row["seconds"] * 16000)
        counts = [len(row[stream]) for stream in ("glm", "semantic", "global")]
        assert counts == [-(-samples // 1280), (samples - 400) // 320 + 1, 32]


def test_fingerprints_are_in_index_and_files(built, official):
    _, out = built
    expected = load_tokenizers(official).fingerprint
    index = json.loads((out / "shards/_index.json").read_text())
    assert index["tokenizers"]["fingerprint"] == expected
    for part in (out / "shards").glob("*.parquet"):
        assert pq.read_metadata(part).metadata[b"curation.tokenizers"].decode() == expected


def test_an_index_describes_tokenizers_whose_weights_are_not_loaded(official, bicodec_folder, tmp_path):
    assert described(None) is None
    for config in (official, TokenizeConfig()):
        assert described(config) == load_tokenizers(config).describe()
    broken = shutil.copytree(bicodec_folder, tmp_path / "bicodec")
    save_file({"alien": np.zeros(3, np.float32)}, next(broken.rglob("BiCodec/model.safetensors")))
    config = official.model_copy(update={"bicodec": str(broken)})
    assert described(config)["bicodec"]["semantic_size"] == described(official)["bicodec"]["semantic_size"]
    assert described(config)["fingerprint"] != described(official)["fingerprint"]
    with pytest.raises(DataError, match="alien"):
        load_tokenizers(config)


def test_other_tokenizers_are_encoded_anew_and_the_old_tokens_stay(built):
    folder, out = built
    before = rows(out, "shards")
    compact = toy_build(folder, out, with_tokenizers(TokenizeConfig()))
    after = rows(out, "shards")
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert compact.tokens["glm"] == sum(len(row["glm"]) for row in before)
    assert any(a["semantic"] != b["semantic"] for a, b in zip(after, before, strict=True))
    assert len(list((out / "tokens").iterdir())) == 2


def test_an_utterance_that_cannot_be_encoded_costs_only_itself(official):
    tokenizers = load_tokenizers(official)
    table = encode_rows(tokenizers, ["good", "short"], [speech(1.0), np.zeros(100, np.float32)])
    good, short = table.to_pylist()
    assert good["error"] == ""
    assert len(good["glm"]) == 13
    assert "400" in short["error"]
    assert short["glm"] is None
