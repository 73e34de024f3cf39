"""Options that several commands share, and where their output goes: results to standard output, the rest to standard
error.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

console = Console(stderr=True)
"""Messages and progress."""

FILE_WIDTH = 160
"""Columns of a table that is not shown on a terminal: nothing is wrapped or cut."""

EXIT_ERROR, EXIT_FAILURES = 1, 3

Output = Annotated[str, typer.Argument(metavar="OUT", help="Folder or fsspec URL of the build.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="YAML file with settings.", show_default=False)
]
Preset = Annotated[
    str,
    typer.Option(
        "--preset",
        "-p",
        metavar="NAME",
        help="Settings to start from: offline (CPU, models from package registries) or paper (GPU, models of the "
        "paper).",
    ),
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set",
        "-s",
        metavar="SECTION.KEY=VALUE",
        help="Override one setting (repeatable).",
        show_default=False,
    ),
]
Wait = Annotated[
    float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait while another build uses OUT.")
]
ForceUnlock = Annotated[bool, typer.Option("--force-unlock", help="Take OUT from another build, which then stops.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def table_console() -> Console:
    """Standard output for tables."""
    out = Console(soft_wrap=True)
    return out if out.is_terminal else Console(soft_wrap=True, width=FILE_WIDTH)


def print_json(values: Any) -> None:
    """The result of `--json`."""
    typer.echo(json.dumps(values, indent=2))
