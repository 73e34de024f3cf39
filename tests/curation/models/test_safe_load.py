"""Checkpoints that can run code: refused unless pinned or allowed."""

import hashlib

import numpy as np
import pytest
import torch

from curation.core.errors import ModelError
from curation.models.safe_load import Trust, load_checkpoint
from tests.support import bombs

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")


@pytest.fixture(params=bombs.KINDS)
def bomb(request, tmp_path):
    """A checkpoint, and the folder that it makes when it is loaded with code."""
    return bombs.plant(tmp_path / "model.pt", tmp_path / "harm", request.param), tmp_path / "harm"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_pickle_that_runs_code_is_refused_with_reason_and_remedy(bomb):
    path, harm = bomb
    with pytest.raises(ModelError, match=r"could run any code when it is loaded.*diarize\.sha256 to") as caught:
        load_checkpoint(path, Trust(setting="diarize"))
    assert digest(path) in str(caught.value)
    assert "diarize.allow_pickle to true" in str(caught.value)
    assert not harm.exists()


def test_a_wrong_pin_is_refused_even_where_pickles_are_allowed(bomb):
    path, harm = bomb
    with pytest.raises(ModelError, match="nothing was loaded"):
        load_checkpoint(path, Trust(sha256="0" * 64, allow_pickle=True))
    assert not harm.exists()


@pytest.mark.parametrize("how", ["pinned", "allowed"])
def test_a_trusted_file_is_loaded_with_its_code(tmp_path, how):
    path = bombs.plant(tmp_path / "model.pt", tmp_path / "harm")
    trust = Trust(sha256=digest(path).upper()) if how == "pinned" else Trust(allow_pickle=True)
    load_checkpoint(path, trust)
    assert (tmp_path / "harm").is_dir()


def test_tensors_load_from_anywhere(tmp_path):
    torch.save({"state": {"weight": torch.ones(2)}}, tmp_path / "model.pt")
    loaded = load_checkpoint(tmp_path / "model.pt", Trust())
    np.testing.assert_array_equal(loaded["state"]["weight"], np.ones(2))
