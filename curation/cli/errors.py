"""How a command ends when something is wrong.

A `UserError` ends with its message and exit code. Any other exception is a fault of this software: it keeps its
traceback, and the exit code is 1.
"""

import logging
from typing import Any

import typer
from typer.core import TyperGroup

from curation.cli.options import console, marked
from curation.core.errors import UserError

log = logging.getLogger(__name__)


class CommandGroup(TyperGroup):
    """The group of all commands: the one place where errors of users become messages."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command of the group; with --verbose, the traceback of a UserError is logged too."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            log.info("the error below was raised here", exc_info=error)
            console.print(marked("error:", str(error)), soft_wrap=True)
            raise typer.Exit(error.exit_code) from None
