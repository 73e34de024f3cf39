"""What all commands share: options, exit codes, and errors that are told without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from curation.train.preparation import Prepare

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
    bool | None,
    typer.Option(
        "--prepare/--raw",
        help="denoise and trim recordings as builds do, or do not; default: as the checkpoint says",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output")]


def preparation(*, prepare: bool | None) -> "Prepare | None":
    """What `SpeechModel.open` is told to do to waves."""
    from curation.stages.loudness import peak_normalize
    from curation.train.preparation import Preparation

    if prepare is None:
        return None
    return Preparation() if prepare else peak_normalize


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
