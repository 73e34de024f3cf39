"""The pages of what a build stores: columns of its files, scores and notes with the thresholds that read them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from generators.stages import registries, steps
from generators.tables import codes, table

if TYPE_CHECKING:
    from curation.core.declarations import Declared

COLUMNS = {
    "shards": "One row for each kept utterance, sorted by id. The files carry unit and meaning in their schema.",
    "segments": "The rows of the ledger without non-speech, in its order: utterances, kept or not, and spans with a "
    "verdict of their own. The columns after `cps` are the [scores](scores.md); null is: not measured. Each file "
    "carries unit and meaning in its schema, and the rules of the thresholds in its metadata (`curation.rules`).",
    "ledger": "The rows of a recording tile it without a gap: each begins where the one before it ended.",
}
INTRODUCTION = """The same tables as `curation schema` prints, `--json` for programs. The names in the columns `scores`
and `notes` are explained in [Scores and notes](scores.md).
"""
SCORES = """# Scores and notes

What stages and adapters store with recordings, segments and hypotheses, of what is rejected too: so a threshold can be
changed later without running a model. In a name, `*` stands for a part that depends on the configuration. In the shards
the scores and notes of a recording stand with those of each of its utterances.

## Scores
"""
THRESHOLDS = """## Thresholds

Rules that the publish pass tries in this order; the first that a segment breaks is the reason of its rejection. A
segment without a score that a rule needs has failed. Other verdicts are set by the stages themselves: see
[Verdicts](../concepts/accounting.md).
"""
SIGNS = {"<": "below", ">": "above", ">=": "at or above"}


def columns_page() -> str:
    """The columns of shards, segments and ledger."""
    from curation.cli.tables import schema_rows

    parts = [
        "# Columns\n",
        INTRODUCTION,
    ]
    rows = schema_rows()
    for name, about in COLUMNS.items():
        own = [(f"`{row['column']}`", row["type"], row["unit"], row["meaning"]) for row in rows if row["table"] == name]
        parts += [f"## {name.capitalize()}\n", f"{about}\n", table(["column", "type", "unit", "meaning"], own)]
    return "\n".join(parts)


def scores_page() -> str:
    """Every score, threshold and note that a stage or adapter of this repository declares."""
    scores = table(["score", "of", "unit", "written by", "meaning"], _scores())
    rules = table(["setting", "rejects", "default", "without the score", "meaning"], _thresholds())
    notes = table(["note", "of", "written by", "meaning"], _notes())
    return f"{SCORES}\n{scores}\n{THRESHOLDS}\n{rules}\n## Notes\n\n{notes}"


def writers() -> "Iterator[tuple[str, type[Declared]]]":
    """Stages in order and then adapters, each with its name."""
    yield from ((name, stage) for name, stage in steps().items() if stage is not None)
    for name, (_, registry) in registries().items():
        yield from ((f"{name}.{kind}", adapter) for kind, adapter in registry.built_in.items())


def _scores() -> Iterator[tuple[str, ...]]:
    found: dict[Any, list[str]] = {}
    for name, declared in writers():
        for score in declared.scores:
            found.setdefault(score, []).append(name)
    readers: dict[str, list[str]] = {}
    for setting, _, rule in thresholds():
        readers.setdefault(rule["score"], []).append(setting)
    for score, names in found.items():
        read_by = f"; read by {codes(readers[score.name])}" if score.name in readers else ""
        yield f"`{score.name}`", score.of, score.unit, _joined(names), f"{score.meaning}{read_by}"


def _joined(names: list[str]) -> str:
    """Names as code; all adapters of a stage in one word."""
    for name, (_, registry) in registries().items():
        if len(names) > 1 and {f"{name}.{kind}" for kind in registry.built_in} == set(names):
            return f"every {registry.what} of `{name}`"
    return codes(names)


def thresholds() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Every threshold in the order in which it is tried: its setting, the field, and its rule."""
    from curation.core.settings import extra_of

    for name, stage in steps().items():
        if stage is not None and stage.section is not None:
            for key, field in stage.section.model_fields.items():
                if "rule" in extra_of(field):
                    yield f"{name}.{key}", field, extra_of(field)["rule"]


def _thresholds() -> Iterator[tuple[str, ...]]:
    for setting, field, rule in thresholds():
        rejects = f"`{rule['score']}` {SIGNS[rule['rejects']]} it"
        off = "" if rule["off"] is None else f"; {rule['off']:g} switches it off"
        default = "none" if field.default is None else f"`{field.default:g}`{off}"
        only = f" (only where `{rule['only'][0]}` is `{rule['only'][1]}`)" if rule["only"] else ""
        yield f"`{setting}`", rejects, default, _without(rule), f"{field.description}{only}"


def _without(rule: dict[str, Any]) -> str:
    """What becomes of a segment that has no such score."""
    unless = f", unless it has `{rule['unless']}`" if rule["unless"] else ""
    if isinstance(rule["required"], bool):
        return ("failed" if rule["required"] else "passes") + unless
    setting, least = rule["required"]
    return f"failed where `{setting}` is {least:g} or more{unless}, else passes"


def _notes() -> Iterator[tuple[str, ...]]:
    from curation.pipeline.assemble import NOTES

    for name, declared in writers():
        yield from ((f"`{note.name}`", note.of, f"`{name}`", note.meaning) for note in declared.notes)
    yield from ((f"`{note.name}`", note.of, "the engine", note.meaning) for note in NOTES)
