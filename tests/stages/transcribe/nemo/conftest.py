"""Tiny models of NeMo's own classes, saved once."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("nemo")


@pytest.fixture(scope="session")
def parakeet_file(folder) -> Path:
    from tests.support.checkpoints.tiny_nemo import save_parakeet

    return save_parakeet(folder / "parakeet.nemo")


@pytest.fixture(scope="session")
def canary_file(folder) -> Path:
    from tests.support.checkpoints.tiny_nemo import save_canary

    return save_canary(folder / "canary.nemo")
