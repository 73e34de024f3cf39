"""What a user error and a fault of the software look like on the command line."""

import logging

import pytest
import typer
from typer.testing import CliRunner

from curation.cli.errors import CommandGroup
from curation.core.errors import ConfigError, DataError, LockError, ModelError, UserError
from tests.support.commands import message

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
