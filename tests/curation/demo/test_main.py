"""`python -m curation.demo`."""

import json

import pytest
from typer.testing import CliRunner

from curation.demo import recordings
from curation.demo.__main__ import app
from tests.support.commands import message


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.mark.skipif(not recordings.LIBRIVOX.is_dir(), reason="needs apt-get install pocketsphinx-testdata")
def test_recordings_are_written_and_printed(tmp_path):
    printed = run("recordings", tmp_path / "in").stdout.splitlines()
    listed = [json.loads(line)["path"] for line in (tmp_path / "in/manifest.jsonl").read_text().splitlines()]
    assert printed == [str(tmp_path / "in" / name) for name in listed]


def test_training_needs_a_build(tmp_path):
    assert str(tmp_path / "none") in message(run("train", tmp_path / "none", tmp_path / "run", code=2))


def test_an_earlier_run_is_discarded_on_request(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/note").touch()
    run("train", tmp_path / "none", tmp_path / "run", code=2)
    assert (tmp_path / "run/note").exists()
    run("train", tmp_path / "none", tmp_path / "run", "--again", code=2)
    assert not (tmp_path / "run/note").exists()
