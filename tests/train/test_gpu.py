"""The same numbers on a GPU as on the CPU; skipped where there is none."""

import shutil
from collections import Counter

import pytest
import torch

from curation.train.data.batch import Packing
from curation.train.distributed import World
from curation.train.infer.attention import NextTokens, attention_for
from curation.train.infer.backends.base import Request
from curation.train.infer.engine import Engine
from curation.train.infer.kv_cache import KvCache
from curation.train.infer.qwen3 import Qwen3Decoder
from curation.train.infer.sampling import GREEDY, PAPER, Allowed
from curation.train.infer.weights import Sizes
from curation.train.loop.metrics import read_metrics
from curation.train.model.loss import AnswerModel
from curation.train.model.packed_attention import packed_attention
from tests.support.runs import toy_model, toy_trainer, train_toy
from tests.support.streams import ToyLoader, toy_speech
from tests.train.infer.test_engine import ALLOWED, PENALISED, VOCABULARY, Failing, prompts

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


def test_a_step_waits_for_nothing_but_its_losses(tmp_path):
    trainer = toy_trainer(tmp_path, world=World(device=GPU))
    rows = [trainer.loader.row(number) for number in range(3)]
    trainer.train_step(rows[:1])  # whatever is made once
    torch.cuda.set_sync_debug_mode("error")
    try:
        done = trainer.train_step(rows[1:])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert done.loss > 0


def test_rows_are_on_the_gpu_before_they_are_due(tmp_path):
    from curation.train.data.config import DataConfig
    from curation.train.data.corpus import open_corpus
    from curation.train.data.loader import PackedLoader
    from tests.support.synthetic import utterance, vocabulary, write_shards

    corpus = open_corpus(write_shards(tmp_path, [utterance(number) for number in range(30)]))
    for batch in PackedLoader(corpus, vocabulary(), DataConfig(epochs=1), device=GPU):
        assert torch.equal(batch._sent.ids[0].cpu(), batch.ids)
        assert torch.equal(batch._sent.targets.cpu(), batch.labels[batch.answers])
        assert batch.on(batch._sent.ids.device) is batch._sent


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Sizes and tensors of a small Qwen3."""
    from tests.support.checkpoints.speech import random_qwen3

    folder = tmp_path_factory.mktemp("network")
    library = random_qwen3(VOCABULARY, seed=1, head_dim=64)
    library.save_pretrained(folder)
    return Sizes.read(folder / "config.json"), dict(library.state_dict())


@pytest.mark.parametrize("settings", [{}, {"fixed": False}, {"prompt_tokens": 7}], ids=str)
@pytest.mark.parametrize("sampling", [PENALISED, PAPER], ids=["greedy", "paper"])
def test_answers_are_those_of_the_cpu(network, settings, sampling):
    answers = []
    for device in ("cpu", "cuda"):
        engine = Engine(Qwen3Decoder(*network, torch.float32, device), 3, 200, **settings)
        batch = prompts([5, 1, 40, 9, 90, 3, 17])
        answers.append([answer.ids for answer in engine.run([Request(one, ALLOWED, 30, sampling) for one in batch])])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("counts", [[1, 1, 1, 1], [5, 1, 64, 3]], ids=["single tokens", "pieces of prompts"])
def test_flash_attention_on_slots_is_a_plain_softmax(counts):
    torch.manual_seed(0)
    cache, known = KvCache(1, 6, 2, 300, 64, torch.bfloat16, "cuda"), [200, 0, 7, 128]
    for block in (cache.keys[0], cache.values[0]):
        block.normal_()
    rows = [NextTokens(slot, count) for slot, count in zip([4, 0, 5, 1], counts, strict=True)]
    for row, length in zip(rows, known, strict=True):
        cache.lengths[row.slot] = length
    queries = torch.randn(sum(counts), 4, 64, device=GPU, dtype=torch.bfloat16)
    unread = torch.zeros(sum(counts), 2, 64, device=GPU, dtype=torch.bfloat16)
    heard, first = attention_for(rows, cache)(0, queries, unread, unread), 0
    for row, length in zip(rows, known, strict=True):
        total = length + row.count
        keys, values = (block[row.slot, :, :total].double() for block in (cache.keys[0], cache.values[0]))
        own = queries[first : first + row.count].double().transpose(0, 1).unflatten(0, (2, 2))
        scores = own @ keys[:, None].transpose(2, 3) / 8
        hidden = torch.ones(row.count, total, dtype=torch.bool, device=GPU).triu(length + 1)
        right = (scores.masked_fill(hidden, -torch.inf).softmax(-1) @ values[:, None]).flatten(0, 1).transpose(0, 1)
        torch.testing.assert_close(heard[first : first + row.count].double(), right, rtol=2e-2, atol=2e-2)
        first += row.count


def test_steps_in_bfloat16_are_those_without_graphs(network):
    """To rounding: most answers begin alike."""
    decoder, batch = Qwen3Decoder(*network, torch.bfloat16, "cuda"), prompts([5, 1, 40, 9, 90, 3, 17])
    requests = [Request(one, ALLOWED, 30, GREEDY) for one in batch]
    one, other = (Engine(decoder, 5, 200, fixed=fixed).run(requests) for fixed in (True, False))
    same = sum(first.ids[:10] == second.ids[:10] for first, second in zip(one, other, strict=True))
    assert same >= 5


def test_a_step_of_unequal_rows_is_one_replay_and_a_few_calls(network):
    from torch.profiler import ProfilerActivity, profile

    engine = Engine(Qwen3Decoder(*network, torch.bfloat16, "cuda"), 16, 200)
    endless = Allowed(ALLOWED.body, ())
    requests = [Request(one, endless, 40, PAPER) for one in prompts(range(5, 90, 6))]
    engine.run(requests)
    answers = [engine.submit(request) for request in requests]
    heard = engine.follow(answers[0])
    [next(heard) for _ in range(3)]
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        [next(heard) for _ in range(20)]
    names = [event.name for event in profiler.events() if event.device_type == torch.autograd.DeviceType.CPU]
    assert sum(name == "cudaGraphLaunch" for name in names) == 20
    assert len(names) <= 20 * 11, Counter(names)


def test_a_failed_step_leaves_a_working_engine(network):
    decoder, batch = Qwen3Decoder(*network, torch.bfloat16, "cuda"), prompts([5, 40, 9])
    requests = [Request(one, ALLOWED, 30, PAPER) for one in batch]
    failing = Failing(decoder, 4, torch.OutOfMemoryError("no memory"))  # while the step is captured
    engine = Engine(failing, 3, 200)
    with pytest.raises(torch.OutOfMemoryError):
        engine.run(requests)
    assert engine.cache.num_free == 3
    assert [len(answer.ids) > 0 for answer in engine.run(requests)] == [True] * 3


def test_speech_goes_out_of_a_checkpoint_on_the_gpu(checkpoint):
    import numpy as np

    from curation.train.infer.speech_model import SpeechModel

    wave = (0.1 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)
    model = SpeechModel.open(checkpoint, device="cuda")
    assert len(model.transcribe([wave, wave[:8000]])) == 2
    spoken = model.speak(["One. Two."], [wave])[0]
    assert spoken.dtype == np.float32
    assert np.isfinite(spoken).all()
