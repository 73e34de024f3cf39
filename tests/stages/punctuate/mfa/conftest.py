"""A model store of its own, and a stand-in for Montreal Forced Aligner in it."""

import pytest

from tests.support.checkpoints import mfa_stand_in


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def stand_in(store, monkeypatch):
    mfa_stand_in.install(monkeypatch)
