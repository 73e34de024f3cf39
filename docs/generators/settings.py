"""The pages of settings, from the pydantic models."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from generators.tables import table

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
