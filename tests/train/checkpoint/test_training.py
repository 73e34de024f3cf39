"""Checkpoints whose files are damaged: an error that the user can mend, whatever stands in them."""

import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from curation.core.errors import DataError, UserError
from curation.train.checkpoint import places
from curation.train.config import load_training_config
from curation.train.distributed import World
from curation.train.run import prepare
from tests.support.damage import damaged
from tests.train.test_run import FEW, shards, train

JSON_FILES = ["training.json", "speech_tokenizers.json", "tokenizer_config.json", "added_tokens.json"]


HARMLESS = {
    ("rng.safetensors", "other keys"),  # as of a run with fewer processes
    ("optimizer.safetensors", "other types"),
    ("model.safetensors", "other types"),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return shards(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    """A run of two steps."""
    folder = tmp_path_factory.mktemp("run")
    train(corpus, folder, "run.steps=2")
    return folder


def resumed(corpus, run):
    """A trainer at the step where the run stands, which has read its first row."""
    with torch.random.fork_rng():
        trainer = prepare(corpus, run, load_training_config(overrides=FEW), World())
        next(iter(trainer.loader))
    return trainer


def problem_of(corpus, run):
    """The message of the user error that resuming ends with; empty where it resumes. All else is raised."""
    try:
        resumed(corpus, run)
    except UserError as error:
        return str(error)
    return ""


@settings(max_examples=settings.default.max_examples // 2)  # each opens a run
@given(data=st.data())
@pytest.mark.parametrize("name", JSON_FILES)
def test_any_value_in_a_file_of_a_checkpoint_resumes_or_is_a_user_error(corpus, run, name, data):
    file = places.latest(run) / name
    content = file.read_text()
    file.write_text(json.dumps(data.draw(damaged(json.loads(content)))))
    try:
        problem = problem_of(corpus, run)
    finally:
        file.write_text(content)
    assert not problem or str(file.parent) in problem


@given(data=st.data())
def test_any_value_in_the_index_of_the_shards_trains_or_is_a_user_error(corpus, tmp_path_factory, data):
    build = tmp_path_factory.mktemp("damaged")
    shutil.copytree(corpus, build, dirs_exist_ok=True)
    file = build / "shards/_index.json"
    file.write_text(json.dumps(data.draw(damaged(json.loads(file.read_text())))))
    problem = problem_of(str(build), build / "run")
    assert not problem or str(build) in problem


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "rng.safetensors"])
@pytest.mark.parametrize("damage", ["cut off", "missing", "other keys", "other shapes", "other types"])
def test_damaged_tensors_are_named(corpus, run, tmp_path, name, damage):
    shutil.copytree(run, tmp_path / "run")
    file = places.latest(tmp_path / "run") / name
    tensors = load_file(file)
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "missing":
        file.unlink()
    elif damage == "other keys":
        save_file({f"{key}.other": tensor for key, tensor in tensors.items()}, file)
    elif damage == "other shapes":
        save_file({key: torch.cat([tensor.reshape(-1)] * 2) for key, tensor in tensors.items()}, file)
    else:
        save_file({key: tensor.to(torch.int64) for key, tensor in tensors.items()}, file)
    problem = problem_of(corpus, tmp_path / "run")
    assert str(file.parent) in problem if (name, damage) not in HARMLESS else problem == ""


def test_the_field_of_a_damaged_position_is_named_with_the_remedy(corpus, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    file = places.latest(tmp_path / "run") / "training.json"
    state = json.loads(file.read_text())
    state["data"]["lanes"][0] = [0, "x"]
    file.write_text(json.dumps(state))
    with pytest.raises(DataError, match=rf"{file}: position in the data: lanes\.0\.1: .*integer.*: restore it"):
        resumed(corpus, tmp_path / "run")
