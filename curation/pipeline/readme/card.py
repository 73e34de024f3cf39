"""The card of a corpus: `README.md` in the build's folder, with which `datasets.load_dataset` opens that folder."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.manifests import ledger, shards
from curation.manifests.index import ShardIndex
from curation.manifests.segments import table as segments
from curation.manifests.summary import Summary
from curation.models.catalogue import facts_of
from curation.pipeline.assemble import steps
from curation.pipeline.config import BuildConfig

FILE = "README.md"
MARK = "<!-- written by curation: the next publish pass replaces this file -->"
CONFIGS = {
    "default": {"train": f"{shards.FOLDER}/*.parquet"},
    "segments": {"train": f"{segments.FOLDER}/*.parquet"},
    "ledger": {"train": f"{ledger.FOLDER}/*.parquet"},
}
LIMITS = """\
Texts are written by speech recognisers and languages and speakers are found by models: some are wrong. Voices are
personal data, and what is said may name people. Words of languages that the recognisers know badly are wrong more often
than `pwer` says.
"""


def write_card(out: Storage, summary: Summary, index: ShardIndex, config: BuildConfig) -> None:
    """Write the card, but not over a `README.md` that is somebody's own."""
    if out.exists(FILE) and MARK.encode() not in out.read_bytes(FILE):
        return
    head = front_matter(CONFIGS, sorted(filter(None, summary.languages)))
    out.write_bytes(FILE, f"{head}{MARK}\n\n{card(summary, index, config)}".encode())


def front_matter(configs: Mapping[str, Mapping[str, str]], languages: Iterable[str]) -> str:
    """What the hub and `datasets` read of a card: which files are which split of which configuration."""
    values: dict[str, Any] = {
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": split, "path": path} for split, path in files.items()],
            }
            for name, files in configs.items()
        ],
        "language": list(languages),
        "task_categories": ["automatic-speech-recognition", "text-to-speech"],
    }
    return f"---\n{yaml.safe_dump(values, sort_keys=False)}---\n"


def card(summary: Summary, index: ShardIndex, config: BuildConfig) -> str:
    """What the corpus is, where its hours went, and what made it: Markdown."""
    hours = [f"| {line.status} | {line.reason} | {line.count} | {line.seconds / 3600:.3f} |" for line in summary.lines]
    thresholds = [f"| `{name}` | {value:g} |" for name, value in sorted(index.thresholds.items())]
    languages = [f"{name or 'unknown'} ({count:,})" for name, count in summary.languages.items()]
    what = (
        f"{summary.kept_seconds / 3600:.3f} h of speech in {summary.utterances:,} utterances of {summary.speakers:,} "
        f"speakers, from {summary.seconds / 3600:.3f} h of recordings; made by curation {index.software}."
    )
    return "\n".join(
        [
            "# A speech corpus",
            "",
            what,
            "",
            f"Utterances by language: {', '.join(languages) or 'none'}.",
            "",
            *_table("verdict | reason | intervals | hours", hours),
            *_portions(summary),
            "## Licences",
            "",
            *_table("licence, as the manifests say | utterances", _licences(index.licences)),
            "## What was kept",
            "",
            *_table("threshold | value", thresholds),
            "## Models",
            "",
            *_table("model | licence", _models(config)),
            "## Limits",
            "",
            LIMITS,
        ]
    )


def _portions(summary: Summary) -> list[str]:
    """Splits and tiers, where there are any."""
    found: list[str] = []
    for title, column, amounts in (("Splits", "split", summary.splits), ("Tiers", "tier", summary.tiers)):
        if amounts:
            sizes = ((one.name or "none", f"{one.utterances:,}", f"{one.seconds / 3600:.3f}") for one in amounts)
            rows = [f"| {' | '.join(size)} |" for size in sizes]
            found += [f"## {title}", "", f"In the column `{column}` of every table.", ""]
            found += _table(f"{column} | utterances | hours", rows)
    return found


def _table(head: str, rows: list[str]) -> list[str]:
    return [f"| {head} |", "|" + "---|" * (head.count("|") + 1), *rows, ""]


def _licences(counted: Counter[str]) -> list[str]:
    return [f"| {_cell(name) or 'unknown'} | {count:,} |" for name, count in sorted(counted.items())]


def _cell(text: str) -> str:
    """A text of strangers in a table, without a mark of Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>()#!|&~])", r"\\\1", text)


def _models(config: BuildConfig) -> list[str]:
    """Every model that the build used, with its licence as far as the catalogue knows it."""
    try:
        uses = [use for step in steps(config) for use in step.uses]
    except ConfigError:  # a stage of a package that is not installed here
        return ["| unknown: a package of the build is not installed | |"]
    found: dict[str, str] = {}
    for use in uses:
        for name in use.model_names:
            facts = facts_of(name, use.declared.weights)
            if facts is not None:
                found[name] = facts.licence
            elif ":" in name:  # others are a part of this software
                found[f"path:{name.rpartition('/')[2]}" if name.startswith("path:") else name] = "unknown"
    return [f"| `{name}` | {licence} |" for name, licence in sorted(found.items())]
