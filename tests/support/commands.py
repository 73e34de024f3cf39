"""The command line in this process."""

import functools
from typing import Any

import typer.main
import typer.testing
from typer.testing import CliRunner

from curation.cli import app

typer.testing._get_command = functools.cache(typer.main.get_command)  # else all commands are made anew for each call


def curation(*arguments: object, code: int = 0) -> Any:
    """Run `curation ARGUMENTS…`, which must end with the exit code; the result has `stdout` and `stderr`."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def message(result: Any) -> str:
    """Standard error on one line, without the frame that a terminal's width puts around it."""
    return " ".join(result.stderr.replace("│", " ").split())
