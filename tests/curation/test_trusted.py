"""Checkpoints that can run code: refused unless pinned or allowed."""

import hashlib
import os
import pickle

import numpy as np
import pytest
import torch

from curation.models import ModelError
from curation.trusted import load_checkpoint, require_trusted


class Bomb:
    """Loading this writes a file."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.fixture(params=["torch", "torch legacy", "pickle"])
def bomb(request, tmp_path):
    """A checkpoint, and the folder that it makes when it is loaded with code."""
    path, harm = tmp_path / "model.pt", tmp_path / "harm"
    if request.param == "pickle":
        path.write_bytes(pickle.dumps(Bomb(harm)))
    else:
        torch.save({"state": Bomb(harm)}, path, _use_new_zipfile_serialization=request.param == "torch")
    return path, harm


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_pickle_that_runs_code_is_refused_with_reason_and_remedy(bomb):
    path, harm = bomb
    with pytest.raises(ModelError, match=r"pipeline.*can run any program.*pin it by its SHA-256") as caught:
        load_checkpoint(path, what="pipeline")
    assert digest(path) in str(caught.value)
    assert "allow_pickle: true" in str(caught.value)
    assert not harm.exists()


def test_a_wrong_pin_is_refused_even_where_pickles_are_allowed(bomb):
    path, harm = bomb
    with pytest.raises(ModelError, match="not the file that was meant"):
        load_checkpoint(path, sha256="0" * 64, allow_pickle=True)
    assert not harm.exists()


@pytest.mark.parametrize("how", ["pinned", "allowed"])
def test_a_trusted_file_is_loaded_with_its_code(tmp_path, how):
    path, harm = tmp_path / "model.pt", tmp_path / "harm"
    torch.save({"state": Bomb(harm)}, path)
    load_checkpoint(path, sha256=digest(path).upper() if how == "pinned" else None, allow_pickle=how == "allowed")
    assert harm.is_dir()


def test_tensors_load_from_anywhere(tmp_path):
    torch.save({"state": {"weight": torch.ones(2)}}, tmp_path / "model.pt")
    loaded = load_checkpoint(tmp_path / "model.pt")
    np.testing.assert_array_equal(loaded["state"]["weight"], np.ones(2))


def test_folders_can_be_allowed_but_not_pinned(tmp_path):
    require_trusted(tmp_path, sha256=None, allow_pickle=True, what="x")
    with pytest.raises(ModelError, match="set allow_pickle: true"):
        require_trusted(tmp_path, sha256=None, allow_pickle=False, what="x")
    with pytest.raises(ModelError, match="not a file"):
        require_trusted(tmp_path, sha256="0" * 64, allow_pickle=True, what="x")
