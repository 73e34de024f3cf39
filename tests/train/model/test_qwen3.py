import pytest
import torch
from torch.nn import functional

from curation.train.data.batch import IGNORED, Packing
from curation.train.model.loss import AnswerModel, CrossEntropy
from curation.train.model.qwen3 import build_model, model_config, num_parameters
from tests.support.runs import GPA_VOCABULARY, toy_model
from tests.support.streams import ToyLoader, toy_speech

CPU = torch.device("cpu")


def on_meta(preset):
    from transformers import Qwen3ForCausalLM

    with torch.device("meta"):
        return Qwen3ForCausalLM(model_config(preset, GPA_VOCABULARY))


def test_gpa_has_the_parameters_of_the_release():
    config = model_config("gpa-0.3b", GPA_VOCABULARY)  # before transformers' models: it makes torchaudio importable
    model = on_meta("gpa-0.3b")
    assert num_parameters(model) == 312_625_152
    assert config.num_hidden_layers == 28
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_the_large_preset_has_three_billion_parameters():
    model_config("3b", GPA_VOCABULARY)
    assert 2.9e9 < num_parameters(on_meta("3b")) < 3.3e9


def test_weights_depend_on_the_seed_only():
    torch.manual_seed(1)
    first = build_model("tiny", 300, seed=5)
    torch.manual_seed(2)
    second = build_model("tiny", 300, seed=5)
    assert torch.equal(first.lm_head.weight, second.lm_head.weight)
    assert not torch.equal(first.lm_head.weight, build_model("tiny", 300, seed=6).lm_head.weight)


def padded(batch):
    """The samples of a row unpacked: ids, labels and mask, (samples, longest)."""
    ids = batch.ids.split(batch.lengths.tolist())
    labels = batch.labels.split(batch.lengths.tolist())
    pad = lambda rows, value: torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)  # noqa: E731
    return pad(ids, 0), pad(labels, IGNORED), pad([torch.ones_like(row) for row in ids], 0)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_packed_is_what_padded_samples_give(kind):
    vocabulary = toy_speech().vocabulary
    packed, plain = (toy_model(vocabulary).to(kind) for _ in range(2))
    batch = ToyLoader(vocabulary).row(3)
    ids, labels, mask = padded(batch)
    total, losses = AnswerModel(packed)(batch)
    (total / len(losses)).backward()
    plain.config._attn_implementation = "eager"
    loss = plain(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    close = {"rtol": 1e-4, "atol": 1e-5} if kind == torch.float32 else {"rtol": 1e-5, "atol": 1e-7}
    torch.testing.assert_close((total / len(losses)).to(kind), loss.detach().to(kind), **close)
    for (name, ours), theirs in zip(packed.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=name, **close)


def test_samples_do_not_see_one_another():
    vocabulary = toy_speech().vocabulary
    model = AnswerModel(toy_model(vocabulary))
    batch = ToyLoader(vocabulary).row(0)
    _, before = model(batch)
    first = int(batch.lengths[0])
    batch.ids[:first] = batch.ids[:first].flip(0)
    _, after = model(batch)
    others = batch.answer_samples > 0
    assert torch.equal(before[others], after[others])
    assert not torch.equal(before, after)


def test_packing_knows_where_samples_lie():
    packing = Packing.of(torch.tensor([3, 5, 1], dtype=torch.int32), CPU)
    assert packing.lengths == [3, 5, 1]
    assert packing.offsets.tolist() == [0, 3, 8, 9]
    assert packing.longest == 5


@pytest.mark.parametrize("at_once", [1, 7 * 50, 2**22])
def test_cross_entropy_and_its_gradient_are_torchs(at_once):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(40, 8, generator=generator, requires_grad=True)
    weight = torch.randn(50, 8, generator=generator, requires_grad=True)
    targets = torch.randint(0, 50, (40,), generator=generator)
    total, losses = CrossEntropy.apply(hidden, weight, targets, at_once)
    ours = torch.autograd.grad(total * 0.3, (hidden, weight))
    expected = functional.cross_entropy(hidden @ weight.T, targets, reduction="none")
    theirs = torch.autograd.grad(expected.sum() * 0.3, (hidden, weight))
    torch.testing.assert_close(losses, expected.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_weights_in_bfloat16_is_summed_in_float32():
    """As FSDP2 gathers them: the sum of 400 halves, one after the other, ends at 128 in bfloat16."""
    hidden = torch.ones(400, 1, dtype=torch.bfloat16)
    weight = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    total, _ = CrossEntropy.apply(hidden, weight, torch.zeros(400, dtype=torch.int64), 1)
    (slope,) = torch.autograd.grad(total, weight)
    assert slope.dtype == torch.bfloat16
    assert slope.tolist() == [[-200.0], [200.0]]


def test_activation_checkpointing_changes_nothing():
    vocabulary = toy_speech().vocabulary
    batch = ToyLoader(vocabulary).row(1)
    gradients = []
    for checkpointing in (False, True):
        model = toy_model(vocabulary).train()
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        AnswerModel(model)(batch)[0].backward()
        gradients.append(model.lm_head.weight.grad)
    assert torch.equal(*gradients)
