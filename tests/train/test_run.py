import gc
import json
import logging
from contextlib import contextmanager
from itertools import islice

import pytest
import torch
from typer.testing import CliRunner

from curation.cli import app
from curation.core.errors import ConfigError, DataError, UserError
from curation.tokenize.vocabulary import load_vocabulary
from curation.train.checkpoint import places
from curation.train.checkpoint import training as checkpoint
from curation.train.config import load_training_config
from curation.train.data.batch import IGNORED
from curation.train.distributed import World, join_world
from curation.train.loop.metrics import read_metrics
from curation.train.loop.trainer import Trainer
from curation.train.run import prepare, settings_of, train_run
from tests.support import synthetic
from tests.train.model.test_qwen3 import padded

FEW = ["data.token_budget=200", "speech.text_size=256", "run.threads=1", "optimizer.warmup_steps=2"]


def shards(folder, fingerprint="f" * 64, count=60, splits=(None,), first=0, **index):
    tokenizers = synthetic.tokenizers(fingerprint)
    for name in ("glm", "bicodec"):
        tokenizers[name] |= {"name": "toy", "reference": "compact", "fingerprint": name}
    rows = [{**synthetic.utterance(i), "split": splits[i % len(splits)]} for i in range(first, first + count)]
    return synthetic.write_shards(folder, rows, tokenizers=tokenizers, **index)


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
    listed = json.loads((places.latest(run) / "speech_tokenizers.json").read_text())
    assert listed["glm"] == listed["bicodec"] == "compact"
    assert listed["tokenizers"]["fingerprint"] == "f" * 64
    assert load_vocabulary(places.latest(run)).streams == synthetic.vocabulary().streams


def test_the_model_is_gone_where_the_processes_part(tmp_path, monkeypatch):
    """Else copies of it (DDP) would be the last to hold the group: `join_world`."""
    left = []

    @contextmanager
    def watched(device):
        with join_world(device) as world:
            yield world
        left.extend(one for one in gc.get_objects() if type(one) is Trainer and one.run == tmp_path / "run")

    monkeypatch.setattr("curation.train.run.join_world", watched)
    assert train(shards(tmp_path / "build"), tmp_path / "run", "run.steps=1").step == 1
    assert left == []


def test_the_loader_resumes_at_its_position(tmp_path):
    corpus = shards(tmp_path / "build")
    train(corpus, tmp_path / "whole", "run.steps=4", "run.save_steps=2")
    train(corpus, tmp_path / "parts", "run.steps=4", "run.save_steps=2")
    last = places.latest(tmp_path / "parts")
    (last / places.MARKER).unlink()
    train(corpus, tmp_path / "parts")
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_a_run_goes_on_with_the_generation_that_it_began_with(tmp_path):
    corpus = shards(tmp_path / "build")
    train(corpus, tmp_path / "whole", "run.steps=4", "run.save_steps=2")
    train(corpus, tmp_path / "parts", "run.steps=2", "run.save_steps=2")
    synthetic.grown(corpus, [synthetic.utterance(i) for i in range(60, 90)])
    train(corpus, tmp_path / "parts", "run.steps=4")
    train(f"{corpus}@1", tmp_path / "first", "run.steps=4")
    assert losses(tmp_path / "parts") == losses(tmp_path / "first") == losses(tmp_path / "whole")
    train(corpus, tmp_path / "latest", "run.steps=4")
    assert losses(tmp_path / "latest") != losses(tmp_path / "whole")


@pytest.mark.parametrize("has_instructions", [True, False])
def test_bfloat16_in_software_is_warned_of(tmp_path, monkeypatch, has_instructions):
    own, seen = logging.Logger("alone"), []  # noqa: LOG001 - out of the tree that other libraries change
    own.addFilter(lambda record: seen.append(record.getMessage()))
    monkeypatch.setattr("curation.train.run.log", own)
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx2": True, "avx512_bf16": has_instructions})
    train(shards(tmp_path / "build"), tmp_path / "run", "run.steps=1", "run.precision=bfloat16", "data.token_budget=60")
    assert any("no bfloat16 instructions" in message for message in seen) is not has_instructions


@pytest.mark.parametrize(("preset", "pretraining", "fine_tuning"), [("gpa-0.3b", 6e-4, 1e-5), ("3b", 2e-4, 3.3e-6)])
def test_fine_tuning_has_a_rate_that_does_not_forget(preset, pretraining, fine_tuning):
    """Those of the official release: 1e-5, and 3e-6 for larger models."""
    rates = [
        load_training_config(overrides=[f"model.preset={preset}", f"phase={phase}"]).learning_rate
        for phase in ("pretrain", "sft")
    ]
    assert rates == pytest.approx([pretraining, fine_tuning], rel=0.02)
    assert load_training_config(overrides=["phase=sft", "optimizer.learning_rate=0.1"]).learning_rate == 0.1


def test_validation_measures_and_changes_nothing(tmp_path):
    corpus, other = shards(tmp_path / "build"), shards(tmp_path / "held-out", count=30, first=60)
    train(corpus, tmp_path / "plain", "run.steps=5")
    settings = [f"run.validation={other}", "run.validation_steps=2", "run.validation_rows=3"]
    train(corpus, tmp_path / "run", "run.steps=5", *settings)
    assert losses(tmp_path / "run") == losses(tmp_path / "plain")
    measured = {line["step"]: line["validation"] for line in read_metrics(tmp_path / "run") if "validation" in line}
    assert list(measured) == [2, 4, 5]
    config = load_training_config(overrides=[*FEW, "run.steps=5", *settings])
    trainer = prepare(corpus, tmp_path / "run", config, World())
    rows = list(islice(trainer.validation.rows(), 3))
    trainer.model.config._attn_implementation = "eager"
    tasks = {}
    for row in rows:
        ids, labels, mask = padded(row)
        for task, one, label, real in zip(row.tasks, ids, labels, mask, strict=True):
            logits = trainer.model(input_ids=one[None], attention_mask=real[None]).logits[0, :-1]
            loss = torch.nn.functional.cross_entropy(logits, label[1:], reduction="sum")
            total, count = tasks.get(task, (0.0, 0))
            tasks[task] = total + loss.item(), count + int((label[1:] != IGNORED).sum())
    assert measured[5] == pytest.approx({task: total / count for task, (total, count) in tasks.items()}, rel=1e-4)


def test_a_corpus_with_splits_is_measured_on_the_one_asked_for(tmp_path):
    shares = {"dev": 0.3, "test": 0.0, "by": [], "salt": 0}
    corpus = shards(tmp_path / "build", splits=("dev", "train", "train"), split=shares)
    overrides = [*FEW, "run.steps=1", f"run.validation={corpus}", "data.temperature=3"]
    trainer = prepare(corpus, tmp_path / "run", load_training_config(overrides=overrides), World())
    used = {word for row in trainer.validation.rows() for key in row.keys for word in key.split()}
    assert {word for word in used if word.startswith("utt-")} == {f"utt-{i:05d}" for i in range(0, 60, 3)}
    other = load_training_config(overrides=[*overrides, "run.validation_split=test"])
    with pytest.raises(DataError, match=r"run\.validation_split: .* has no utterances of split test: choose another"):
        prepare(corpus, tmp_path / "other", other, World())


def test_what_is_trained_on_is_no_validation(tmp_path):
    corpus = shards(tmp_path / "build")
    with pytest.raises(DataError, match=r"run\.validation: .*build.*is trained on too .*curation split"):
        train(corpus, tmp_path / "run", "run.steps=1", f"run.validation={corpus}")


def test_validation_of_other_tokenizers_is_refused_before_the_first_step(tmp_path):
    corpus, other = shards(tmp_path / "build"), shards(tmp_path / "held-out", "e" * 64)
    with pytest.raises(DataError, match=r"held-out.*tokenizers eeeeee"):
        train(corpus, tmp_path / "run", "run.steps=1", f"run.validation={other}")
    assert not read_metrics(tmp_path / "run")


@pytest.mark.parametrize("setting", ["model.code_embeddings=codebook", "data.code_noise=0.1"])
def test_codebooks_of_other_tokenizers_are_refused(tmp_path, setting):
    with pytest.raises(ConfigError, match=rf"{setting.partition('=')[0]}.*set speech\.glm"):
        train(shards(tmp_path / "build"), tmp_path / "run", "run.steps=1", setting)


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
        (["speech.glm=glm"], "speech.glm: glm needs a checkpoint: glm:FOLDER"),
        (["speech.bicodec=compct"], "speech.bicodec: unknown tokenizer 'compct': did you mean 'compact'?"),
        (["optimizer.betas=[0.9, 1.0]"], "optimizer.betas.1: input should be less than 1"),
        (["speech.vocabulary=nowhere"], "nowhere: no tokenizer: expected"),
    ],
)
def test_wrong_settings_are_explained(tmp_path, overrides, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        train(shards(tmp_path / "build"), tmp_path / "run", *overrides)


def test_a_checkpoint_of_another_preset_is_refused(tmp_path):
    corpus = shards(tmp_path / "build")
    train(corpus, tmp_path / "run", "run.steps=1")
    with pytest.raises(ConfigError, match=r"is a model of the preset tiny, the configuration says gpa-0\.3b"):
        train(corpus, tmp_path / "run", "model.preset=gpa-0.3b")


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_state_of_a_checkpoint_is_named_with_the_remedy(tmp_path, content):
    (tmp_path / "training.json").write_text(content)
    with pytest.raises(DataError, match=r"training\.json is damaged.*remove its folder to go on from the one before"):
        checkpoint.read_state(tmp_path)
