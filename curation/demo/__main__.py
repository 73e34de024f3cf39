"""The demonstrations of `make demo` and `make train-demo`.

python -m curation.demo recordings FOLDER
python -m curation.demo train BUILD RUN
"""

import logging
import shutil
from pathlib import Path
from typing import Annotated

import typer

from curation.cli.errors import CommandGroup

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Demonstrations with real recordings and real models."""
    logging.basicConfig(level=logging.WARNING)


@app.command()
def recordings(folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where they are written.")]) -> None:
    """Write twelve real recordings and their manifest."""
    from curation.demo.recordings import write_demo_recordings

    for path in write_demo_recordings(folder):
        typer.echo(path)


@app.command()
def train(
    build: Annotated[str, typer.Argument(metavar="BUILD", help="A finished build, e.g. demo/corpus.")],
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the training run.")],
    *,
    again: Annotated[bool, typer.Option("--again", help="Discard an earlier run in the folder first.")] = False,
) -> None:
    """Train a tiny model for a few minutes; transcribe and speak one of its utterances."""
    from curation.demo import training

    if again and run.exists():
        shutil.rmtree(run)
    training.show(build, training.train(build, run), run)


if __name__ == "__main__":
    app(prog_name="python -m curation.demo")
