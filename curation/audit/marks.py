"""Takes marks into a build: those of utterances that are there, whose authors saw the text that is there now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.audit.corpus import Corpus
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.manifests.marks.effects import conflicts, in_force
from curation.manifests.marks.files import Mark, add, digest, parse, read


@dataclass(frozen=True)
class Imported:
    """What became of the marks of a file."""

    taken: list[Mark]
    known: list[Mark]
    """That the build had before, and that were not retracted."""
    stale: list[Mark]
    """Whose author saw another text."""
    unknown: list[Mark]
    """Of utterances that the corpus does not have."""
    conflicts: list[Mark]
    """All that are in conflict now, older ones too."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: [mark.to_json() for mark in found] for name, found in vars(self).items()}


def import_marks(root: str, file: Path) -> Imported:
    """Keep the marks of a file (JSON lines) with a build; they count from the next publish pass on.

    Raises ConfigError where the file cannot be read, DataError where a line is no mark: nothing is taken then.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file} cannot be read: {error}"
        raise ConfigError(msg) from error
    given, out, corpus = list(parse(lines, str(file))), Storage(root), Corpus.open(root)
    before = read(out)
    texts = {
        row["id"]: row["text"]
        for row in corpus.ask(
            "SELECT id, text FROM segments WHERE id IN (SELECT unnest($ids))", {"ids": [mark.id for mark in given]}
        )
    }
    had = {*in_force(before)}
    found = Imported([], [], [], [], [])
    for mark in given:
        if mark in had:
            found.known.append(mark)
        elif mark.id not in texts:
            found.unknown.append(mark)
        elif mark.kind != "retract" and mark.text_seen != digest(texts[mark.id]):
            found.stale.append(mark)
        else:
            found.taken.append(mark)
    if found.taken:
        add(out, found.taken)
    found.conflicts.extend(conflicts(in_force([*before, *found.taken])))
    return found


def retract(root: str, ids: Sequence[str]) -> list[Mark]:
    """Undo all that was said of some utterances; returns what it was. Raises ConfigError where nothing was."""
    out = Storage(root)
    standing = [mark for mark in in_force(read(out)) if mark.id in ids]
    missing = sorted({*ids} - {mark.id for mark in standing})
    if missing:
        msg = f"{root} has no mark of {', '.join(missing)}: see `curation marks list {root}`"
        raise ConfigError(msg)
    add(out, [Mark(identifier, "retract") for identifier in dict.fromkeys(ids)])
    return standing


def listed(root: str) -> list[dict[str, Any]]:
    """All marks in force, each with whether it is in conflict with another."""
    standing = in_force(read(Storage(root)))
    disputed = {*conflicts(standing)}
    return [{**mark.to_json(), "conflict": mark in disputed} for mark in standing]
