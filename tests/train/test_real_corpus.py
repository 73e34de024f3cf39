"""The loader on the shards of a build with the compact tokenizers."""

import json
import shutil

import pytest
import torch

from curation.stages.denoise.stage import DenoiseConfig
from curation.tokenize.fit.pair import fit
from curation.tokenize.fit.settings import FitSettings
from curation.tokenize.layouts import Asr, Tts, decode
from curation.tokenize.pair import TokenizeConfig
from curation.train.checkpoint.speech_info import TokenizerInfo
from curation.train.config import load_training_config
from curation.train.data.config import DataConfig
from curation.train.data.corpus import open_corpus, vocabulary_for
from curation.train.data.loader import PackedLoader
from curation.train.distributed import World
from curation.train.run import prepare
from tests.support.builds import rows, toy_build, toy_config, write_recordings
from tests.support.real_speech import librivox
from tests.train.data.test_loader import samples_of

DENOISE = DenoiseConfig(denoiser="spectral", choose="always", max_snr_db=25.0)
"""Not the defaults: what the checkpoint says must come from the build."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    recordings = write_recordings(folder / "in", ["one", "two", "three"])
    config = toy_config().model_copy(update={"tokenize": TokenizeConfig(), "denoise": DENOISE})
    toy_build(recordings, folder / "out", config)
    return folder / "out"


def test_all_tokens_of_the_shards_arrive(built):
    utterances = {row["id"]: row for row in rows(built, "shards")}
    vocabulary = vocabulary_for(open_corpus(str(built)), text_size=300)
    loader = PackedLoader(open_corpus(str(built)), vocabulary, DataConfig(epochs=1))
    found = [(key, decode(ids, vocabulary)) for batch in loader for _, key, ids, _, _ in samples_of(batch)]
    assert len(found) == 3 * len(utterances) > 9
    for key, example in found:
        row = utterances[key.split()[1]]
        if isinstance(example, Asr):
            assert (example.glm.tolist(), example.text) == (row["glm"], row["text"])
        semantic = example.semantic if isinstance(example, Asr | Tts) else example.target
        assert semantic.tolist() == row["semantic"]


def test_training_starts_from_the_codebooks(built, tmp_path):
    overrides = ["data.token_budget=1000", "speech.text_size=300", "run.threads=1", "run.steps=1"]
    kinds = ("random", "codebook")
    first = [start(built, tmp_path / kind, *overrides, f"model.code_embeddings={kind}") for kind in kinds]
    rows = [model.get_input_embeddings().weight.detach() for model in first]
    assert not torch.equal(*rows)
    assert torch.equal(rows[0][:256], rows[1][:256])


def start(built, run, *overrides):
    """The model before its first step."""
    with torch.random.fork_rng():
        return prepare(str(built), run, load_training_config(overrides=overrides), World()).model


def test_the_index_says_where_the_tokenizers_come_from(built):
    index = json.loads((built / "shards/_index.json").read_text())
    assert index["tokenizers"]["glm"]["reference"] == index["tokenizers"]["bicodec"]["reference"] == "compact"
    assert index["row_group_rows"] == 512


def test_the_checkpoint_says_how_its_corpus_was_denoised_and_cut(built, tmp_path):
    config = load_training_config(overrides=["speech.text_size=300", "data.token_budget=1000"])
    with torch.random.fork_rng():
        trainer = prepare(str(built), tmp_path / "run", config, World())
    trainer.speech.save(tmp_path)
    found = TokenizerInfo.read(tmp_path)
    assert DenoiseConfig(**found.denoise) == DENOISE
    assert found.cuts == toy_config().diarize.cuts


def test_a_fitted_codec_with_fewer_codes_goes_all_the_way(built, tmp_path):
    """Fitted on a recording, it encodes the same build again, and the vocabulary has as many codes as it has."""
    settings = FitSettings(content_codes=16, codes=256, copies=1, channels=0, steps=2, batch=2, crop=20)
    fit([librivox()[0]], tmp_path / "fitted", settings)
    shutil.copytree(built, tmp_path / "out")
    tokenize = TokenizeConfig(bicodec=str(tmp_path / "fitted"))
    config = toy_config().model_copy(update={"tokenize": tokenize, "denoise": DENOISE})
    toy_build(built.parent / "in", tmp_path / "out", config)
    assert all(max(row["semantic"]) < 256 for row in rows(tmp_path / "out", "shards"))
    assert len(vocabulary_for(open_corpus(str(tmp_path / "out")), text_size=300).streams["semantic"]) == 256
    started = start(tmp_path / "out", tmp_path / "run", "run.threads=1", "model.code_embeddings=codebook")
    assert started.config.vocab_size < 8192
