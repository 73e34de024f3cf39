"""Post-training of a tiny model by judges whose wishes are known."""

import math
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from curation.train.checkpoint import places
from curation.train.config import load_training_config
from curation.train.distributed import World
from curation.train.infer.speech_model import SpeechModel
from curation.train.loop.learner import BadBatchError
from curation.train.loop.metrics import read_metrics
from curation.train.posttrain.rewards import Verdict
from curation.train.posttrain.run import prepare
from tests.train.posttrain.conftest import FEW, low_bytes, posttrain


def weights(folder):
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize(("method", "prompts", "group"), [("grpo", 2, 32), ("dpo", 16, 4)])
def test_what_is_rewarded_becomes_likelier(method, prompts, group, corpus, start, tmp_path):
    fast = ("run.steps=5", "optimizer.learning_rate=0.1", f"posttrain.prompts={prompts}", f"posttrain.group={group}")
    done = posttrain(corpus, start, tmp_path, f"posttrain.method={method}", *fast)
    lines = read_metrics(tmp_path)
    rewards = [line["rewards"]["asr"] for line in lines]
    assert rewards[-1] > rewards[0] + 0.2
    assert lines[0]["kl"] == 0.0
    assert lines[-1]["kl"] > 0
    assert lines[0]["no_signal"] == 0.0
    assert ("clipped" in lines[0]) == (method == "grpo")
    assert all(line["errors"]["asr"] == pytest.approx(-line["rewards"]["asr"]) for line in lines)
    assert SpeechModel.open(done.checkpoint).vocabulary.fingerprint == SpeechModel.open(start).vocabulary.fingerprint


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(corpus, start, tmp_path):
    settings = ("run.steps=2", "run.save_steps=1", "posttrain.updates=2")
    posttrain(corpus, start, tmp_path / "whole", *settings)

    def stop(metrics):
        if metrics.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        posttrain(corpus, start, tmp_path / "parts", *settings, on_step=stop)
    posttrain(corpus, start, tmp_path / "parts", *settings)
    whole, parts = (weights(places.latest(tmp_path / name)) for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    apart = {"tokens_per_second", "rolling", "judging"}
    first, second = (
        [{k: v for k, v in line.items() if k not in apart} for line in read_metrics(tmp_path / name)]
        for name in ("whole", "parts")
    )
    assert first == second
    assert max(line["clipped"] for line in first) > 0


def test_told_to_end_a_run_saves_the_step_at_work(corpus, start, tmp_path):
    done = posttrain(corpus, start, tmp_path, "run.steps=3", on_step=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert (done.stopped, done.step) == (True, 1)
    assert done.checkpoint.name == "step-00000001"


def test_adapters_learn_beside_the_model_that_is_their_reference(corpus, start, tmp_path):
    done = posttrain(corpus, start, tmp_path, "lora.rank=4", "run.steps=1", "posttrain.kl=0.1")
    posttrain(corpus, start, tmp_path, "run.steps=2")
    kl = [line["kl"] for line in read_metrics(tmp_path)]
    assert kl[0] == 0.0
    assert min(kl[1:]) > 0
    before, after = weights(start), weights(done.checkpoint)
    assert torch.equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"])
    assert not torch.equal(*(one["model.layers.0.mlp.up_proj.weight"] for one in (before, after)))


def test_activation_checkpointing_computes_layers_again(corpus, start, tmp_path):
    settings = [*FEW, f"model.start_from={start}", "model.activation_checkpointing=true"]
    trainer = prepare(corpus, tmp_path, load_training_config(overrides=settings), World(), low_bytes)
    calls = []
    trainer.model.model.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    trainer.train_step()
    assert sum(calls) == 2 * calls.count(False) > 0  # without a gradient: the log-probabilities before the update


def test_a_group_of_equal_rewards_teaches_nothing(corpus, start, tmp_path):
    def indifferent(rollouts):
        return [Verdict(0.25) for _ in rollouts]

    done = posttrain(corpus, start, tmp_path, "run.steps=1", "posttrain.kl=0", judge=indifferent)
    before, after = weights(start), weights(done.checkpoint)
    assert all(torch.equal(before[name], after[name]) for name in after)
    (line,) = read_metrics(tmp_path)
    assert line["no_signal"] == 1.0
    assert not {"kl", "loss", "grad_norm", "clipped"} & line.keys()
    posttrain(corpus, start, tmp_path, "run.steps=2")
    taught = read_metrics(tmp_path)[1]
    assert taught["no_signal"] < 1
    assert "kl" not in taught
    assert taught["grad_norm"] > 0


def test_answers_that_were_not_judged_are_no_bad_answers(corpus, start, tmp_path):
    def moody(rollouts):
        return [Verdict(place % 2 / 2) if place % 3 else None for place in range(len(rollouts))]

    posttrain(corpus, start, tmp_path / "some", "run.steps=1", judge=moody)
    (line,) = read_metrics(tmp_path / "some")
    assert line["failed"] == 6
    assert line["errors"]["asr"] == 0.25
    with pytest.raises(BadBatchError, match="none of 16 answers could be judged"):
        posttrain(corpus, start, tmp_path / "none", judge=lambda rollouts: [None] * len(rollouts))


def test_weights_that_grow_without_bound_stop_the_run(corpus, start, tmp_path):
    broken = ("optimizer.learning_rate=1e30", "run.steps=3", "run.save_steps=1")
    with pytest.raises(BadBatchError, match=r"step [23]: .*lower optimizer.learning_rate"):
        posttrain(corpus, start, tmp_path, *broken)
    assert all(math.isfinite(line["rewards"]["asr"]) for line in read_metrics(tmp_path))
