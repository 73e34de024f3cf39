import json
import logging

import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.config import ConfigError
from curation.tokenize.vocabulary import load_vocabulary
from curation.train import checkpoint
from curation.train.config import load_training_config
from curation.train.metrics import read_metrics
from curation.train.parallel import World
from curation.train.run import prepare, settings_of, train_run
from tests.train import synthetic

FEW = ["data.token_budget=400", "speech.text_size=256", "run.threads=1", "optimizer.warmup_steps=2"]


def shards(folder, fingerprint="f" * 64):
    tokenizers = synthetic.tokenizers(fingerprint)
    for name in ("glm", "bicodec"):
        tokenizers[name] |= {"name": "toy", "reference": "compact", "fingerprint": name}
    return synthetic.write_shards(folder, [synthetic.utterance(i) for i in range(60)], tokenizers=tokenizers)


def train(corpus, run, *overrides):
    config = load_training_config(overrides=[*FEW, *overrides], base=settings_of(run))
    return train_run(corpus, run, config, lambda _: None)


def losses(run):
    return [line["loss"] for line in read_metrics(run)]


def test_from_the_command_line_to_a_checkpoint_and_on(tmp_path):
    corpus, run = shards(tmp_path / "build"), tmp_path / "run"
    settings = [part for setting in (*FEW, "run.save_steps=2") for part in ("--set", setting)]
    result = CliRunner().invoke(app, ["train", corpus, "-o", str(run), *settings, "-s", "run.steps=4"])
    assert result.exit_code == 0, result.output
    assert "step-00000004" in result.output
    assert CliRunner().invoke(app, ["train", corpus, "-o", str(run), "-s", "run.steps=6"]).exit_code == 0
    assert [line["step"] for line in read_metrics(run)] == [1, 2, 3, 4, 5, 6]
    listed = json.loads((checkpoint.latest(run) / "speech_tokenizers.json").read_text())
    assert listed["glm"] == listed["bicodec"] == "compact"
    assert listed["tokenizers"]["fingerprint"] == "f" * 64
    assert load_vocabulary(checkpoint.latest(run)).streams == synthetic.vocabulary().streams


def test_the_loader_goes_on_where_it_stood(tmp_path):
    corpus = shards(tmp_path / "build")
    train(corpus, tmp_path / "whole", "run.steps=6", "run.save_steps=3")
    train(corpus, tmp_path / "parts", "run.steps=6", "run.save_steps=3")
    last = checkpoint.latest(tmp_path / "parts")
    (last / checkpoint.MARKER).unlink()
    train(corpus, tmp_path / "parts")
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


@pytest.mark.parametrize("has_instructions", [True, False])
def test_bfloat16_in_software_is_warned_of(tmp_path, caplog, monkeypatch, has_instructions):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx2": True, "avx512_bf16": has_instructions})
    with caplog.at_level(logging.WARNING, "curation.train"):
        train(shards(tmp_path / "build"), tmp_path / "run", "run.steps=1", "run.precision=bfloat16")
    assert ("no bfloat16 instructions" in caplog.text) is not has_instructions


def test_codebooks_of_other_tokenizers_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"set speech\.glm"):
        train(shards(tmp_path / "build"), tmp_path / "run", "run.steps=1", "model.code_embeddings=codebook")


def test_fine_tuning_starts_from_the_weights_of_a_run(tmp_path):
    corpus = shards(tmp_path / "build")
    train(corpus, tmp_path / "first", "run.steps=3")
    config = load_training_config(overrides=[*FEW, "phase=sft", f"model.start_from={tmp_path / 'first'}"])
    trainer = prepare(corpus, tmp_path / "second", config, World())
    assert trainer.step == 0
    first = prepare(corpus, tmp_path / "first", load_training_config(overrides=FEW), World())
    assert first.step == 3
    for ours, theirs in zip(trainer.model.parameters(), first.model.parameters(), strict=True):
        assert ours.equal(theirs)
    assert trainer.speech.vocabulary.fingerprint == first.speech.vocabulary.fingerprint


def test_shards_of_other_tokenizers_are_refused(tmp_path):
    run = tmp_path / "run"
    train(shards(tmp_path / "build"), run, "run.steps=1")
    with pytest.raises(ConfigError, match=r"other: tokens of the tokenizers eeeeee.*trained on those of ffffff"):
        train(shards(tmp_path / "other", "e" * 64), run, "run.steps=2")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run.stepz=3"], "run.stepz: unknown key; did you mean 'steps'"),
        (["data.token_buget=3"], "data.token_buget: unknown key; did you mean 'token_budget'"),
        (["model.preset=huge"], "model.preset: input should be 'tiny'"),
        (["phase=sft"], "set model.start_from"),
        (["phase=sft", "model.start_from=nowhere"], "nowhere: no checkpoint there"),
        (["speech.vocabulary=nowhere"], "the vocabulary cannot be read: nowhere"),
    ],
)
def test_wrong_settings_are_explained(tmp_path, overrides, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        train(shards(tmp_path / "build"), tmp_path / "run", *overrides)


def test_a_checkpoint_of_another_preset_is_refused(tmp_path):
    corpus = shards(tmp_path / "build")
    train(corpus, tmp_path / "run", "run.steps=1")
    with pytest.raises(ConfigError, match=r"is a model of the preset tiny, the configuration says gpa-0\.3b"):
        train(corpus, tmp_path / "run", "model.preset=gpa-0.3b")
