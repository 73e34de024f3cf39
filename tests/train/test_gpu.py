"""The same numbers on a GPU as on the CPU; skipped where there is none."""

import shutil

import pytest
import torch

from curation.train.distributed import World
from curation.train.infer.engine import Engine, Request
from curation.train.infer.qwen3 import Qwen3Decoder, Sizes
from curation.train.loop.metrics import read_metrics
from curation.train.model.loss import AnswerModel
from curation.train.model.packed_attention import Packing, packed_attention
from tests.support.runs import toy_model, train_toy
from tests.support.streams import ToyLoader, toy_speech
from tests.train.infer.test_engine import ALLOWED, PENALISED, VOCABULARY, prompts

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
GPU = torch.device("cuda")


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=["a call for each sample", "variable length"])
def test_packed_attention_and_its_gradient_are_those_of_a_plain_softmax(kind):
    lengths, heads, groups, size = torch.tensor([70, 1, 200, 33]), 4, 2, 64
    total = int(lengths.sum())
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randn(1, count, total, size, generator=generator) for count in (heads, groups, groups)]
    upstream = torch.randn(1, total, heads, size, generator=generator)
    ours, plain = ([row.to(GPU, kind).requires_grad_() for row in rows] for _ in range(2))
    mixed, _ = packed_attention(None, *ours, None, packing=Packing.of(lengths, GPU), scaling=size**-0.5)
    query, key, value = (row.double() for row in plain)
    sample = torch.repeat_interleave(torch.arange(len(lengths)), lengths).to(GPU)
    place = torch.arange(total, device=GPU)
    hidden = (sample[:, None] != sample) | (place[:, None] < place)
    key, value = (row.repeat_interleave(heads // groups, 1) for row in (key, value))
    weights = (query @ key.transpose(2, 3) * size**-0.5).masked_fill(hidden, -torch.inf).softmax(-1)
    expected = (weights @ value).transpose(1, 2)
    found = torch.autograd.grad(mixed, ours, upstream.to(GPU, kind))
    right = torch.autograd.grad(expected, plain, upstream.to(GPU))
    bound = 1e-5 if kind == torch.float32 else 1e-2
    for one, other in zip((mixed.detach(), *found), (expected.detach(), *right), strict=True):
        assert float((one.double() - other.double()).norm() / other.double().norm()) < bound


def test_the_loss_of_a_row_and_its_gradient_are_the_cpus():
    vocabulary = toy_speech().vocabulary
    batch = ToyLoader(vocabulary).row(3)
    there, here = AnswerModel(toy_model(vocabulary).to(GPU)), AnswerModel(toy_model(vocabulary))
    losses = []
    for module in (there, here):
        total, each = module(batch)
        total.backward()
        losses.append(each.cpu())
    torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-4)
    for (name, one), other in zip(there.named_parameters(), here.parameters(), strict=True):
        torch.testing.assert_close(one.grad.cpu(), other.grad, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("compiled", [False, True])
def test_training_in_bfloat16_follows_the_curve_of_float32(tmp_path, compiled):
    settings = ["run.steps=60", "optimizer.learning_rate=0.01"]
    world = World(device=GPU)
    trainer = train_toy(tmp_path / "gpu", *settings, f"model.compile={compiled}", world=world)
    train_toy(tmp_path / "cpu", *settings)
    ours, theirs = ([line["loss"] for line in read_metrics(tmp_path / run)] for run in ("gpu", "cpu"))
    assert ours == pytest.approx(theirs, rel=0.02)
    assert next(trainer.model.parameters()).device.type == "cuda"


def test_going_on_gives_the_same_weights(tmp_path):
    settings = ["run.steps=8", "run.save_steps=4"]
    whole = train_toy(tmp_path, *settings, world=World(device=GPU))
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000008")
    parts = train_toy(tmp_path, *settings, world=World(device=GPU))
    assert parts.step == whole.step == 8
    for ours, theirs in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_answers_are_those_of_the_cpu(tmp_path):
    from tests.support.checkpoints.speech import random_qwen3

    library = random_qwen3(VOCABULARY, seed=1)
    library.save_pretrained(tmp_path)
    sizes, tensors = Sizes.read(tmp_path / "config.json"), dict(library.state_dict())
    answers = []
    for device in ("cpu", "cuda"):
        engine = Engine(Qwen3Decoder(sizes, tensors, torch.float32, device), 3, 200)
        batch = prompts([5, 1, 40, 9, 90, 3, 17])
        answers.append([answer.ids for answer in engine.run([Request(one, ALLOWED, 30, PENALISED) for one in batch])])
    assert answers[0] == answers[1]


def test_speech_goes_out_of_a_checkpoint_on_the_gpu(checkpoint):
    import numpy as np

    from curation.train.infer.speech_model import SpeechModel

    wave = (0.1 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)
    model = SpeechModel.open(checkpoint, device="cuda")
    assert len(model.transcribe([wave, wave[:8000]])) == 2
    spoken = model.speak(["One. Two."], [wave])[0]
    assert spoken.dtype == np.float32
    assert np.isfinite(spoken).all()
