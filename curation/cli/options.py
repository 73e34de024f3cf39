"""Options that several commands share, and where their output goes: results to standard output, the rest to standard
error.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text


class PlainConsole(Console):
    """Shows texts as they are: names of files and what was said may look like markup, or move the cursor."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """A text as it is printed."""
        return super().render_str(printable(text), **options)


console = PlainConsole(stderr=True)
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
    out = PlainConsole(soft_wrap=True)
    return out if out.is_terminal else PlainConsole(soft_wrap=True, width=FILE_WIDTH)


def marked(word: str, text: str, colour: str = "red") -> Text:
    """A line that begins with a word in colour."""
    return Text.assemble((printable(word), colour), " ", printable(text))


def printable(text: str) -> str:
    """The text with escapes in place of what moves the cursor, turns the line around, or is half of a character."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def print_json(values: Any) -> None:
    """The result of `--json`."""
    typer.echo(json.dumps(values, indent=2))
