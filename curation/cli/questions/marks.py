"""`curation marks`: what people said of utterances, taken into a build."""

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.options import AsJson, Output, print_json

group = typer.Typer(name="marks", no_args_is_help=True)


@group.callback()
def _marks() -> None:
    """Take over rejects, accepts and corrected texts; they count when the corpus is published again."""


@group.command("import")
def import_marks(
    output: Output,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="marks.jsonl, as the page of the audit gives it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Keep the marks of a file with a build; those of a text that has changed are refused, and listed."""
    from curation.audit.marks import import_marks as take
    from curation.cli.questions.answers import print_imported

    found = take(output, file).to_json()
    if as_json:
        print_json(found)
    else:
        print_imported(found)


@group.command("list")
def list_marks(output: Output, *, as_json: AsJson = False) -> None:
    """List the marks of a build that were not retracted."""
    from curation.audit.marks import listed
    from curation.cli.questions.answers import print_marks

    found = listed(output)
    if as_json:
        print_json(found)
    else:
        print_marks(found)


@group.command()
def retract(
    output: Output,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Utterances.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Undo all marks of utterances."""
    from curation.audit.marks import retract as undo
    from curation.cli.questions.answers import print_marks

    found = [mark.to_json() for mark in undo(output, ids)]
    if as_json:
        print_json(found)
    else:
        print_marks(found)
