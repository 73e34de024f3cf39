"""What a user error and a fault of the software look like on the command line."""

import logging

import pytest
import typer
from typer.testing import CliRunner

from curation.cli.errors import CommandGroup
from curation.core.errors import ConfigError, DataError, LockError, ModelError, UserError
from tests.support.builds import write_recordings
from tests.support.commands import curation, message

TEXT = "/data/[red]out[/red]: nothing is here: a path that is longer than any terminal is wide, " + 30 * "folder/"


class OtherError(UserError):
    """A kind of user error that the command line has never heard of."""

    exit_code = 7


def run(error, *arguments):
    """A command two groups deep that raises the error."""
    app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)
    inner = typer.Typer()
    app.add_typer(inner, name="inner")
    inner.callback()(lambda: None)

    @inner.command()
    def fail():
        raise error

    return CliRunner().invoke(app, ["inner", "fail", *arguments])


@pytest.mark.parametrize(
    ("kind", "code"), [(ConfigError, 2), (DataError, 2), (ModelError, 1), (LockError, 1), (OtherError, 7)]
)
def test_a_user_error_ends_with_its_message_and_exit_code(kind, code):
    result = run(kind(TEXT))
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr == f"error: {TEXT}\n"  # on one line, so that it can be copied, and with its brackets


def test_a_fault_of_the_software_keeps_its_traceback():
    error = ValueError("no user can fix this")
    result = run(error)
    assert result.exit_code == 1
    assert result.exception is error
    assert "error:" not in message(result)


def test_the_traceback_of_a_user_error_can_be_asked_for(caplog):
    with caplog.at_level(logging.INFO, logger="curation.cli.errors"):
        run(ConfigError("wrong"))
    (record,) = caplog.records
    assert record.exc_info[0] is ConfigError


@pytest.mark.parametrize(
    ("command", "file", "content", "reason", "remedy"),
    [
        ("summary OUT", "summary.json", b"{", "line 1", "`curation build -o OUT` writes it again"),
        ("summary OUT", "summary.json", b"{}", "no field 'recordings'", "`curation build -o OUT` writes it again"),
        ("status OUT", "runs/a.json", b"", "line 1", "remove it; only the times of that run are lost"),
        ("status OUT", "runs/a.json", b"[]", "'list'", "remove it; only the times of that run are lost"),
        ("status OUT", "runs/a.json", b'{"started": 1}', "'cpus'", "remove it; only the times of that run are lost"),
        ("status OUT", "runs/a.json", b'{"started": 1, "cpus": 1, "x": 1}', "'x'", "remove it; only the times"),
        ("consensus fit OUT -o OUT/x", "build.yaml", b"a: [", "not valid YAML", "remove it and run `curation build`"),
        ("consensus fit OUT -o OUT/x", "build.yaml", b"", "expected sections", "remove it and run `curation build`"),
        ("build IN -o OUT", "build.yaml", b"a: \xff", "not valid YAML", "remove it and run `curation build`"),
        ("train OUT -o OUT", "train.yaml", b"a: 2024-13-01", "not valid YAML", "give the settings of the run again"),
        ("train OUT -o OUT/x", "shards/_index.json", b'{"format": "1"', "line 1", "publish the build again"),
        (
            "train OUT -o OUT/x",
            "shards/_index.json",
            b'{"format": "1"}',
            "no field 'shards'",
            "publish the build again",
        ),
    ],
)
def test_a_damaged_file_ends_with_its_name_and_the_remedy(command, file, content, reason, remedy, tmp_path):
    out = tmp_path / "out"
    (out / file).parent.mkdir(parents=True)
    (out / file).write_bytes(content)
    recordings = write_recordings(tmp_path / "in", ["a"], seconds=0.1)
    places = {"OUT": str(out), "IN": str(recordings), "OUT/x": str(out / "x")}
    told = message(curation(*(places.get(part, part) for part in command.split()), code=2))
    assert f"error: {out / file}" in told
    assert reason in told
    assert remedy.replace("OUT", str(out)) in told
