"""Losses against their formulas, and log-probabilities against the engine's."""

import math

import numpy as np
import pytest
import torch

from curation.tokenize.layouts import Sequence
from curation.train.data.batch import PackedBatch
from curation.train.infer.attention import NextTokens
from curation.train.infer.backends.base import Request
from curation.train.infer.engine import Engine
from curation.train.infer.qwen3 import Qwen3Decoder
from curation.train.infer.sampling import Allowed, Sampling
from curation.train.infer.weights import Sizes
from curation.train.model.loss import AnswerModel
from curation.train.posttrain.objective import answer_log_probs, divergence, dpo_loss, grpo_loss, is_clipped
from tests.support.checkpoints.speech import random_qwen3

ALLOWED = Allowed(range(40, 90), (3, 120))


def test_the_engine_draws_from_what_training_computes(tmp_path):
    library = random_qwen3(130, seed=4)
    library.save_pretrained(tmp_path)
    decoder = Qwen3Decoder(Sizes.read(tmp_path / "config.json"), library.state_dict(), torch.float32)
    engine = Engine(decoder, slots=3, length=64)
    sampling = [Sampling(0.7, seed=seed) for seed in range(3)]
    prompts = [np.arange(5 + length, dtype=np.int32) for length in range(3)]
    answers = engine.run([Request(p, ALLOWED, 12, how) for p, how in zip(prompts, sampling, strict=True)])
    expected, samples = [], []
    for prompt, answer in zip(prompts, answers, strict=True):
        said = [*answer.ids, *([answer.end] if answer.finished == "end" else [])]
        cache = decoder.new_cache(1, 64)
        slot, read = cache.take(), prompt.tolist()
        for token in said:
            hidden = decoder.forward(read, [NextTokens(slot, len(read))], cache)
            logits = engine.sampler.logits(hidden, torch.tensor([0]), ALLOWED, None)[0] / 0.7
            place = [*ALLOWED.body, *ALLOWED.ends].index(token)
            expected.append(float(torch.log_softmax(logits, 0)[place]))
            read = [token]
        joined = np.array([*prompt, *said], np.int32)
        samples.append(Sequence(joined, np.arange(len(joined)) >= len(prompt)))
    row = PackedBatch.of(samples, ["tts"] * 3, ["a", "b", "c"])
    found = answer_log_probs(AnswerModel(library), row, ALLOWED, 0.7)
    assert len(found) > 12
    np.testing.assert_allclose(found.detach(), expected, atol=1e-4)
    assert float(divergence(found.detach(), torch.tensor(expected)).abs().max()) < 1e-6
    (slope,) = torch.autograd.grad(found.sum(), library.model.embed_tokens.weight)
    assert slope.abs().sum(1)[list(ALLOWED.ends)].min() > 0


def test_where_nothing_has_changed_grpo_follows_the_advantages():
    new = torch.tensor([-1.0, -2.0, -0.5, -3.0], requires_grad=True)
    gains = torch.tensor([1.0, 1.0, -1.0, 0.5])
    loss = grpo_loss(new, new.detach(), new.detach(), gains, clip=0.2, kl=0.5)
    assert loss.item() == pytest.approx(-float(gains.mean()))
    loss.backward()
    np.testing.assert_allclose(new.grad, -gains / 4)


@pytest.mark.parametrize(
    ("ratio", "gain", "clipped"), [(1.3, 1.0, True), (1.3, -1.0, False), (0.7, -1.0, True), (0.7, 1.0, False)]
)
def test_a_ratio_that_has_gone_far_enough_teaches_nothing_more(ratio, gain, clipped):
    old, gains = torch.tensor([-1.0]), torch.tensor([gain])
    new = (old + math.log(ratio)).requires_grad_()
    grpo_loss(new, old, None, gains, clip=0.2, kl=0.0).backward()
    assert float(new.grad) == pytest.approx(0.0 if clipped else -ratio * gain)
    assert bool(is_clipped(new.detach(), old, gains, 0.2)) is clipped


def test_the_divergence_draws_back_to_the_reference():
    new, reference = torch.tensor([-1.0, -2.0], requires_grad=True), torch.tensor([-1.5, -1.0])
    grpo_loss(new, new.detach(), reference, torch.zeros(2), clip=0.2, kl=1.0).backward()
    expected = [(1 - math.exp(-0.5)) / 2, (1 - math.exp(1.0)) / 2]
    np.testing.assert_allclose(new.grad, expected, rtol=1e-6)


def test_dpo_is_its_closed_form():
    new = torch.tensor([-1.0, -2.0, -3.0, -1.0, -0.5], requires_grad=True)
    reference, owner = torch.tensor([-1.5, -2.0, -2.0, -1.0, -1.0]), torch.tensor([1, 1, 0, 2, 2])
    gains = [-1.0, 0.5, 0.5]  # of the answers 0, 1, 2
    loss = dpo_loss(new, reference, owner, [(1, 0), (0, 2)], 0.1)
    margins = [0.1 * (gains[1] - gains[0]), 0.1 * (gains[0] - gains[2])]
    assert loss.item() == pytest.approx(sum(-math.log(1 / (1 + math.exp(-one))) for one in margins) / 2)
    loss.backward()
    first, second = (0.1 / (1 + math.exp(one)) / 2 for one in margins)
    np.testing.assert_allclose(new.grad, [-first, -first, first - second, second, second], rtol=1e-5)
