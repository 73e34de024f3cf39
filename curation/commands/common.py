"""What all commands share: options, exit codes, and errors that are told without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(stderr=True)

FILE_WIDTH = 160
"""Of tables in a file, which has no width to keep to: whole figures."""

EXIT_ERROR, EXIT_USAGE, EXIT_FAILURES = 1, 2, 3

Output = Annotated[str, typer.Argument(metavar="OUT", help="folder or fsspec URL of the build")]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="YAML file, over the preset")]
Preset = Annotated[str, typer.Option("--preset", "-p", help="offline (models from packages, CPU) or paper (GPU)")]
Overrides = Annotated[
    list[str],
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="change one setting, e.g. consensus.max_pwer=0.1"),
]
Prepared = Annotated[
    bool,
    typer.Option("--prepare", help="denoise and trim recordings, as the pipeline did before training"),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output")]


def table_console() -> Console:
    """Standard output for wide tables."""
    out = Console(soft_wrap=True)
    return out if out.is_terminal else Console(soft_wrap=True, width=FILE_WIDTH)


@contextmanager
def errors_explained() -> Iterator[None]:
    """Errors of users end with their message, not with a traceback."""
    from curation.config import ConfigError
    from curation.lock import LockError
    from curation.models import ModelError

    try:
        yield
    except ConfigError as error:
        console.print(f"[red]error:[/] {_plain(error)}", highlight=False)
        raise typer.Exit(EXIT_USAGE) from None
    except (ModelError, LockError) as error:
        console.print(f"[red]error:[/] {_plain(error)}", highlight=False)
        raise typer.Exit(EXIT_ERROR) from None


def _plain(error: Exception) -> str:
    from rich.markup import escape

    return escape(str(error))
