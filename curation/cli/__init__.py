"""The command `curation`.

Modules of this package import no more than Typer and Rich at the top, so that help appears at once; a command imports
what it needs when it runs. Exit codes: 0 done, 1 error, 2 wrong configuration, input or usage, 3 too many failures.
"""

import logging
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from curation import __version__
from curation.cli import audit, bench, build, evaluate, fit, infer, living, models, preflight, serve, train
from curation.cli.errors import CommandGroup
from curation.cli.questions import commands as questions
from curation.cli.questions import duplicates, marks

app = typer.Typer(
    cls=CommandGroup,
    epilog="Exit codes: 0 done, 1 error, 2 wrong configuration, input or usage, 3 too many failures.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def main(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log progress, and tracebacks of errors.")] = False,
) -> None:
    """Turn raw speech recordings into training shards, train a speech model on them, and run it."""
    if version:
        typer.echo(f"curation {__version__}")
        raise typer.Exit
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


PANELS: dict[str, tuple[Callable[..., None] | typer.Typer, ...]] = {
    "Build a corpus": (build.build, build.status, build.summary, build.schema, living.compact),
    "Look after a corpus": (living.split, living.verify, living.log, living.remove, living.voices),
    "Question a corpus": (
        audit.group,
        questions.why,
        questions.whatif,
        questions.sample,
        questions.top,
        questions.diff,
        questions.sql,
        duplicates.dedup,
        marks.group,
    ),
    "Take a corpus elsewhere": (living.export,),
    "Prepare a build": (preflight.doctor, preflight.plan, models.group),
    "Adapt to a corpus": (fit.tokenizer, fit.consensus),
    "Train and run a model": (
        train.train,
        train.posttrain,
        evaluate.evaluate,
        infer.transcribe,
        infer.speak,
        infer.convert,
        serve.serve,
        bench.group,
        train.gguf,
    ),
}
for panel, commands in PANELS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=panel)
        else:
            app.command(rich_help_panel=panel)(command)
