"""The page of commands, from the command line itself."""

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generators.tables import table

ROOT = Path(__file__).resolve().parents[2]
RANGE = re.compile(r"(?:(?P<low>-?[\d.]+)(?P<above><=?))?x(?:(?P<sign>[<>]=?)(?P<limit>-?[\d.]+))?")
WORDS = {">=": "At least {}.", ">": "More than {}.", "<=": "At most {}.", "<": "Less than {}."}


def commands_page() -> str:
    """Every command with its usage, arguments and options."""
    parts = ["# Commands\n", "Every command has `--help`. `curation --version` prints the version.\n"]
    for path, command in commands():
        context = _context(path, command)
        usage = command.get_usage(context).removeprefix("Usage: ").replace("\n", " ")
        rows = [_option(parameter, context) for parameter in command.params]
        parts += [
            f"## `curation {' '.join(path)}`\n",
            f"{' '.join((command.help or '').split())}\n",
            f"```\n{' '.join(usage.split())}\n```\n",
            table(["argument or option", "default", "meaning"], [row for row in rows if row]),
        ]
    return "\n".join(parts)


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is not a group, with the words that call it, in order of their names."""
    import typer

    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, name = scripts["curation"].partition(":")
    yield from _leaves((), typer.main.get_command(getattr(importlib.import_module(module), name)))


def _leaves(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    context = _context(path, command)
    for name in sorted(command.list_commands(context)):
        words = path if name == getattr(command, "default", None) else (*path, name)  # it is called without its name
        yield from _leaves(words, command.get_command(context, name))


def _context(path: tuple[str, ...], command: Any) -> Any:
    return command.make_context(" ".join(("curation", *path)), [], resilient_parsing=True)


def _option(parameter: Any, context: Any) -> tuple[str, str, str] | None:
    record = parameter.get_help_record(context)
    if record is None:
        return None
    names, text = record
    text, _, extra = text.partition("  [")
    notes = [note.strip() for note in extra.rstrip("]").split(";") if note.strip()]
    default = next((_default(note) for note in notes if note.startswith("default:")), "")
    if "required" in notes:
        default = "required"
    limits = [limit_in_words(note) for note in notes if not note.startswith("default:") and note != "required"]
    return f"`{names.partition(' <')[0]}`", default, " ".join([text, *limits])


def _default(note: str) -> str:
    """Values as code, descriptions (which come in brackets) as they are."""
    value = note.removeprefix("default:").strip()
    return value[1:-1] if value.startswith("(") else f"`{value}`"


def limit_in_words(note: str) -> str:
    """`At least 1.` for `x>=1`; a note that is no range as it is, with a full stop."""
    found = RANGE.fullmatch(note.replace(" ", ""))
    if found is None:
        return f"{note.rstrip('.')}."
    words = [WORDS[found["sign"]].format(found["limit"])] if found["sign"] else []
    if found["low"]:
        words.insert(0, WORDS[found["above"].replace("<", ">")].format(found["low"]))
    return " ".join(words)
