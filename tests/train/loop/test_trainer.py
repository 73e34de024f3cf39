import itertools
import json
import logging
import math
import random
import resource

import pytest
import torch

from curation.core.errors import StorageError
from curation.train.checkpoint import places
from curation.train.loop.learner import BadBatchError
from curation.train.loop.metrics import SpikeWatch, read_metrics
from curation.train.loop.optimizer import learning_rate, make_optimizer
from curation.train.loop.validate import Validation
from tests.support.runs import toy_model, toy_trainer, train_toy
from tests.support.streams import ToyLoader, toy_config, toy_speech
from tests.train.model.test_qwen3 import padded


def losses(run):
    return [line["loss"] for line in read_metrics(run)]


def test_the_same_curve_as_a_plain_loop_over_padded_samples(tmp_path):
    """The reference is transformers' own loss, attention and padding, and torch's own AdamW."""
    steps = 20
    train_toy(tmp_path, f"run.steps={steps}", "optimizer.weight_decay=0.0")
    config, speech = toy_config(f"run.steps={steps}"), toy_speech()
    model, rows = toy_model(speech.vocabulary), iter(ToyLoader(speech.vocabulary))
    model.config._attn_implementation = "eager"
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.0)
    curve = []
    for step in range(steps):
        ids, labels, mask = padded(next(rows))
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = learning_rate(step, config)
        optimizer.step()
        optimizer.zero_grad()
        curve.append(loss.item())
    assert losses(tmp_path) == pytest.approx(curve, rel=1e-4)
    assert curve[-1] < curve[0] - 0.4


def test_weight_decay_leaves_norms_and_the_tied_embedding_alone():
    model = toy_model(toy_speech().vocabulary)
    groups = make_optimizer(model, toy_config("optimizer.weight_decay=0.3")).param_groups
    decays = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        assert decays.pop(id(parameter)) == (0.0 if "norm" in name or "embed" in name else 0.3), name
    assert not decays
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_a_row_that_repeats_is_learned(tmp_path):
    trainer = toy_trainer(tmp_path, "run.steps=150", "optimizer.learning_rate=0.02")
    trainer.loader = ToyLoader(trainer.speech.vocabulary, distinct=4)
    seen = []
    trainer.train(seen.append)
    assert seen[-1].loss < 0.2 < seen[0].loss


def test_going_on_gives_the_same_losses_and_weights_bit_for_bit(tmp_path):
    settings = ["run.steps=9", "run.save_steps=4", "run.accumulation=2"]
    whole = train_toy(tmp_path / "whole", *settings)
    with pytest.raises(KeyboardInterrupt):
        interrupt_after(6, tmp_path / "parts", *settings)
    parts = train_toy(tmp_path / "parts", *settings)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")[4:]
    for ours, theirs in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        for key in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(parts.optimizer.state[ours][key], whole.optimizer.state[theirs][key])


def interrupt_after(step, run, *settings):
    def stop(metrics):
        if metrics.step == step:
            raise KeyboardInterrupt

    toy_trainer(run, *settings).train(stop)


def test_accumulation_weighs_tokens(tmp_path):
    """Two rows in a step have the gradient of the mean over all their answers, not the mean of two means."""
    one = toy_trainer(tmp_path, "run.accumulation=2", "optimizer.clip_norm=1000000")
    rows = [one.loader.row(0), one.loader.row(1)]
    model = toy_model(one.speech.vocabulary)
    model.config._attn_implementation = "eager"
    total, count = 0.0, 0
    for row in rows:
        ids, labels, mask = padded(row)
        number = int((labels != -100).sum())
        total, count = total + model(input_ids=ids, attention_mask=mask, labels=labels).loss * number, count + number
    (total / count).backward()
    done = one.train_step(rows)
    norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in model.parameters()])
    assert done.grad_norm == pytest.approx(float(norm), rel=1e-4)
    assert done.loss == pytest.approx(float(total / count), rel=1e-5)
    assert done.answers == count


def test_a_checkpoint_opens_with_transformers(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trainer = train_toy(tmp_path, "run.steps=2")
    folder = places.latest(tmp_path)
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert model.config._attn_implementation != "packed"
    assert model.generation_config.eos_token_id == trainer.speech.vocabulary.end
    for ours, theirs in zip(trainer.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "four five <|im_end|>"
    vocabulary = trainer.speech.vocabulary
    assert tokenizer(text).input_ids == [*vocabulary.text_ids("four five "), vocabulary.end]
    assert tokenizer.convert_tokens_to_ids("<|bicodec_semantic_7|>") == vocabulary.speech_ids("semantic", [7])[0]


def test_old_checkpoints_go_and_half_written_ones_do_not_count(tmp_path):
    train_toy(tmp_path, "run.steps=6", "run.save_steps=1", "run.keep_last=2")
    assert [folder.name for folder in places.complete(tmp_path)] == ["step-00000005", "step-00000006"]
    (tmp_path / "checkpoints/step-00000006" / places.MARKER).unlink()
    (tmp_path / "checkpoints/.step-00000007").mkdir()
    (tmp_path / "checkpoints/step-00000003").mkdir()  # killed while it was deleted
    (tmp_path / "checkpoints/.DS_Store").touch()  # not ours
    trainer = train_toy(tmp_path, "run.steps=6", "run.save_steps=1", "run.keep_last=2")
    assert trainer.step == 6
    assert losses(tmp_path) == sorted(losses(tmp_path), key=losses(tmp_path).index)
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 4, 5, 6]
    found = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert found == {"step-00000005", "step-00000006", ".DS_Store"}


def test_a_loss_that_is_not_a_number_names_the_samples(tmp_path):
    trainer = toy_trainer(tmp_path)
    with torch.no_grad():
        trainer.model.model.embed_tokens.weight[trainer.loader.row(0).ids[2]] = math.nan
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    with pytest.raises(BadBatchError, match=r"step 1: the \w+ loss is nan(.|\n)*toy-[0-3]\n"):
        trainer.train_step([trainer.loader.row(0)])
    for old, new in zip(before, trainer.model.parameters(), strict=True):
        assert torch.equal(old.nan_to_num(), new.nan_to_num())


def test_a_refused_step_is_as_if_it_had_not_been(tmp_path):
    """Weights, moments and the number of steps: it is AdamW that is told, after it was given its work."""
    one, other = toy_trainer(tmp_path / "one"), toy_trainer(tmp_path / "other")
    rows = [one.loader.row(number) for number in range(3)]
    for trainer in (one, other):
        trainer.train_step(rows[:1])
    watch = one.watch
    one.watch = SpikeWatch(1.1, {"tts": 0.1}, 100)
    with pytest.raises(BadBatchError, match=r"step 2: the tts loss jumped to"):
        one.train_step(rows[1:2])
    one.watch = watch
    assert one.train_step(rows[2:]) == other.train_step(rows[2:])
    for ours, theirs in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        for key in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(one.optimizer.state[ours][key], other.optimizer.state[theirs][key])


def test_a_jump_of_the_loss_stops_and_a_fall_does_not():
    watch = SpikeWatch(4.0)
    for _ in range(60):
        watch.take({"asr": 0.5, "tts": 5.0})
    assert watch.problem({"asr": 0.6, "tts": 0.01}, 1.0) is None
    assert "asr loss jumped to 2.600" in watch.problem({"asr": 2.6, "tts": 5.0}, 1.0)
    assert "gradient is inf" in watch.problem({"asr": 0.5}, math.inf)
    assert SpikeWatch(None, **watch.state()).problem({"asr": 100.0}, 1.0) is None


def test_what_is_usual_for_a_task_is_no_jump():
    """Recognition of a step may be one wrong transcript of eight tokens."""
    watch, generator = SpikeWatch(4.0), random.Random(0)  # noqa: S311 - no secret
    for _ in range(400):
        watch.take({"asr": 2.0 if generator.random() < 0.05 else 0.3 * generator.random(), "tts": 5.0})
    assert watch.problem({"asr": 2.3}, 1.0) is None
    assert "asr loss jumped" in watch.problem({"asr": 6.0}, 1.0)
    assert SpikeWatch(4.0, **watch.state()).problem({"asr": 2.3}, 1.0) is None


def test_metrics_go_to_json_and_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_toy(tmp_path, "run.steps=3")
    lines = read_metrics(tmp_path)
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert set(lines[0]["losses"]) == {"asr", "tts", "vc"}
    tokens = [ToyLoader(toy_speech().vocabulary).row(i).num_tokens for i in range(3)]
    assert lines[-1]["tokens"] == sum(tokens)
    assert lines[0]["packing"] == pytest.approx(tokens[0] / 256)
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("loss/asr")] == [1, 2, 3]
    assert board.Scalars("loss/all")[2].value == pytest.approx(lines[2]["loss"])
    json.dumps(lines)


def test_a_checkpoint_that_is_written_is_no_wait_for_data(tmp_path, monkeypatch):
    clock, seen = itertools.count(), []
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    trainer = toy_trainer(tmp_path, "run.steps=3", "run.save_steps=1")
    save = trainer.save
    trainer.save = lambda: (save(), next(itertools.islice(clock, 1000, None)))
    trainer.train(seen.append)
    assert max(metrics.wait for metrics in seen) <= 0.5


@pytest.mark.parametrize(
    ("size", "place"), [(20_000, r"model\.safetensors: the check"), (100, r"metrics\.jsonl cannot")]
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of TensorBoard
def test_a_full_disk_is_named_with_the_remedy(tmp_path, size, place):
    """A limit on the size of files stands for it."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        with pytest.raises(StorageError, match=rf"{place}.*run it again"):
            train_toy(tmp_path, "run.steps=1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert places.latest(tmp_path) is None


def test_training_ends_with_the_data(tmp_path):
    trainer = toy_trainer(tmp_path, "run.steps=50", "run.accumulation=2")
    trainer.loader.rows = 5
    trainer.train()
    assert trainer.step == 2
    assert places.latest(tmp_path).name == "step-00000002"


def test_the_rate_rises_and_falls():
    config = toy_config("run.steps=100", "optimizer.warmup_steps=10", "optimizer.learning_rate=1.0")
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[99] == pytest.approx(0.1, abs=0.001)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_validation_set_without_rows_is_logged(tmp_path, monkeypatch):
    own, told = logging.Logger("alone"), []  # noqa: LOG001 - out of the tree that other libraries change
    own.addFilter(lambda record: told.append(record.getMessage()))
    monkeypatch.setattr("curation.train.loop.validate.log", own)
    trainer = toy_trainer(tmp_path, "run.steps=1", validation=Validation(lambda: iter(()), 64))
    trainer.train()
    assert len(told) == 1
    assert "has no losses" in told[0]
