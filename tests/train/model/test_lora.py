"""Low-rank adapters: beside which matrices they stand, what is merged, and runs that train them."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file

from curation.core.errors import ConfigError
from curation.train.checkpoint import places
from curation.train.checkpoint import training as checkpoint
from curation.train.loop.metrics import read_metrics
from curation.train.model.lora import MATRICES, add_adapters, merged
from curation.train.model.qwen3 import build_model, open_model
from tests.train.test_run import shards, train

BUDGET = "data.token_budget=400"  # with fewer tokens losses do not fall in eight steps
LORA = ("phase=sft", BUDGET, "lora.rank=4", "optimizer.learning_rate=0.01")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return shards(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def base(corpus, tmp_path_factory):
    """The checkpoint that adapters are learned beside."""
    run = tmp_path_factory.mktemp("base")
    return train(corpus, run, "run.steps=2").checkpoint


@pytest.fixture(scope="module")
def whole(corpus, base, tmp_path_factory):
    """A run of adapters, with checkpoints of steps 4 and 8."""
    run = tmp_path_factory.mktemp("whole")
    train(corpus, run, *LORA, f"model.start_from={base}", "run.steps=8", "run.save_steps=4")
    return run


def weights(folder):
    return load_file(folder / "model.safetensors")


def test_a_model_with_new_adapters_says_the_same_and_trains_nothing_else():
    model = build_model("tiny", 300, seed=1)
    ids = torch.arange(20)[None]
    before = model(input_ids=ids).logits
    add_adapters(model, 4, 8.0, 0.0, seed=2)
    assert torch.equal(model(input_ids=ids).logits, before)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(trained) == 2 * len(MATRICES) * model.config.num_hidden_layers
    assert all(".lora_A." in name or ".lora_B." in name for name in trained)


def test_what_is_merged_is_what_peft_merges():
    from peft import LoraConfig, get_peft_model

    plain = build_model("tiny", 300, seed=1)
    model = copy.deepcopy(plain)
    add_adapters(model, 4, 12.0, 0.0, seed=2)
    theirs = get_peft_model(copy.deepcopy(plain), LoraConfig(r=4, lora_alpha=12, target_modules=list(MATRICES)))
    noise = torch.Generator().manual_seed(0)
    their_parameters = dict(theirs.named_parameters())
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1, generator=noise)
            their_parameters[f"base_model.model.{name}"].data.copy_(parameter)
    ours = merged(dict(model.named_parameters()), 3.0)
    expected = dict(theirs.merge_and_unload().named_parameters())
    assert ours.keys() == expected.keys() == dict(plain.named_parameters()).keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-5, atol=1e-6)


def test_a_checkpoint_is_plain_and_only_matrices_have_changed(base, whole):
    before, after = weights(base), weights(places.latest(whole))
    assert before.keys() == after.keys()
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert changed == {name for name in after if name.split(".")[-2] in MATRICES}
    assert dict(open_model(str(places.latest(whole))).named_parameters()).keys() == after.keys()
    losses = [line["loss"] for line in read_metrics(whole)]
    assert losses[-1] < losses[0] - 0.15  # codes are drawn at random, and embeddings stay
    moments = load_file(places.latest(whole) / checkpoint.MOMENTS_FILE)
    assert all(".lora_" in name for name in moments)


def test_a_run_resumes_exactly(corpus, base, whole, tmp_path):
    settings = (*LORA, f"model.start_from={base}", "run.steps=8", "run.save_steps=4")
    train(corpus, tmp_path, *settings)
    (places.latest(tmp_path) / places.MARKER).unlink()
    train(corpus, tmp_path, BUDGET)
    for name, weight in weights(places.latest(whole)).items():
        assert torch.equal(weight, weights(places.latest(tmp_path))[name]), name


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("lora.rank=8", "another lora.rank"),
        ("lora.alpha=5", "learned beside other weights .* set it and lora.alpha as they were"),
        ("lora.rank=null", "this run trains adapters: set lora.rank as it was"),
        ("model.start_from={whole}", "learned beside other weights"),
    ],
)
def test_resuming_beside_other_weights_is_refused(corpus, whole, changed, message, tmp_path):
    changed = changed.format(whole=places.latest(whole))  # only matrices are others
    with pytest.raises(ConfigError, match=message):
        train(corpus, whole, changed)
    assert json.loads((places.latest(whole) / checkpoint.STATE).read_text())["step"] == 8


def test_a_run_of_all_weights_does_not_go_on_with_adapters(corpus, base, tmp_path):
    train(corpus, tmp_path, "run.steps=1")
    with pytest.raises(ConfigError, match=r"trains all weights, not adapters: leave lora\.rank out"):
        train(corpus, tmp_path, "lora.rank=4", f"model.start_from={base}")


def test_adapters_need_a_model(corpus, tmp_path):
    with pytest.raises(ConfigError, match=r"lora\.rank=4 trains a model further: set model\.start_from"):
        train(corpus, tmp_path, "lora.rank=4")
