"""Python environments of their own: made once, completely, or not at all."""

import multiprocessing
import os
import subprocess
import time
from pathlib import Path

import pytest

from curation.core.errors import ModelError
from curation.models.environments import MARKER, ensure, folder_of, is_ready


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    return tmp_path


def make(task: tuple[str, int]) -> int:
    store, number = task
    os.environ["CURATION_MODELS"] = store
    Path(store, f"here-{number}").touch()
    while len(list(Path(store).glob("here-*"))) < 2:  # both start at once
        time.sleep(0.001)
    python = ensure("twice", [])
    return python.parent.parent.joinpath("complete.json").stat().st_mtime_ns


def test_two_workers_make_one_environment(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(make, [(str(tmp_path), 1), (str(tmp_path), 2)], chunksize=1)
    assert first == second
    assert len(list((tmp_path / "environments").glob("twice-*/complete.json"))) == 1


@pytest.mark.slow
def test_what_cannot_be_installed_is_explained_and_leaves_nothing(store):
    requirements = ["curation-no-such-package==1"]
    with pytest.raises(ModelError, match=r"could not create the environment missing-.*pip install"):
        ensure("missing", requirements, options=["--no-index"])
    assert not is_ready(folder_of("missing", requirements))
    assert not folder_of("missing", requirements).exists()


def test_other_requirements_are_another_environment():
    assert folder_of("x", ["a==1", "b==2"]) == folder_of("x", ["b==2", "a==1"])
    assert folder_of("x", ["a==1"]) != folder_of("x", ["a==2"])
    assert folder_of("x", ["a==1"]) != folder_of("x", ["a==1"], "/usr/bin/python3.12")


def test_an_environment_has_a_python_of_its_own_and_what_was_left_half_made_is_made_again(store):
    folder = folder_of("own", [])
    folder.mkdir(parents=True)
    (folder / "left").touch()
    assert not is_ready(folder)
    python = ensure("own", [])
    program = "import sys; print(sys.prefix)"
    found = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(found) == folder
    assert is_ready(folder)
    assert not (folder / "left").exists()
    (folder / MARKER).unlink()
    assert not is_ready(folder)
