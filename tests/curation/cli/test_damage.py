"""Damaged records of a build: whatever stands in them, the commands that read them end with a user error, or work."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from curation.cli import app
from curation.core.errors import UserError
from curation.core.storage import Storage
from curation.pipeline.edition import Edition
from curation.pipeline.guard.quarantine import Attempt
from tests.support.builds import toy_build, write_recordings
from tests.support.commands import message
from tests.support.damage import damaged

NOTE = {"detail": "in decode", "spans": 2, "current": "worse"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    toy_build(write_recordings(folder / "in", ["a", "b"], seconds=0.5), folder / "out")
    return folder / "out"


@settings(max_examples=30, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize(("command", "pattern"), [("status", "runs/*.json"), ("summary", "summary.json")])
def test_any_value_in_a_record_is_shown_or_a_user_error(built, command, pattern, data):
    (file,) = built.glob(pattern)
    content = file.read_text()
    file.write_text(json.dumps(data.draw(damaged(json.loads(content)))))
    try:
        for options in ([], ["--json"]):
            result = CliRunner().invoke(app, [command, str(built), *options])
            assert result.exit_code == 0 or f"error: {file}" in message(result), result.exception
    finally:
        file.write_text(content)


@given(note=damaged(NOTE))
def test_any_value_in_an_attempt_record_is_an_attempt_or_a_user_error(tmp_path_factory, note):
    out = Storage(str(tmp_path_factory.mktemp("out")))
    out.write_json("attempts/task.json", note)
    problem = ""
    try:
        attempt = Attempt(out, "task").after_death()
        assert all(crash.spans + 1 > 0 for crash in attempt.victims.values())
    except UserError as error:
        problem = str(error)
    assert not problem or f"{out.root}/attempts/task.json" in problem


@given(started=damaged({"number": 2, "key": "x"}))
def test_any_value_in_the_record_of_a_publish_pass_begins_an_edition_or_is_a_user_error(tmp_path_factory, started):
    out = Storage(str(tmp_path_factory.mktemp("out")))
    out.write_json("publish/pass.json", started)
    problem = ""
    try:
        assert Edition.begin(out, []).number >= 1
    except UserError as error:
        problem = str(error)
    assert not problem or f"{out.root}/publish/pass.json" in problem
