"""What marks change at the next publish pass: `reject` and `accept` a verdict, `text` with a text the text.

The other kinds are kept and listed. Where two marks of a kind say different things of an utterance, neither has an
effect until it is retracted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.manifests.marks.files import Drawn, Mark, digest

REASON = "marks.reject"


@dataclass(frozen=True, slots=True)
class Effects:
    """What marks change, by utterance."""

    verdicts: Mapping[str, Mark] = field(default_factory=dict)
    """Of the kinds reject and accept."""
    texts: Mapping[str, Mark] = field(default_factory=dict)

    @property
    def ids(self) -> pa.Array:
        """All utterances that are named."""
        return pa.array(sorted({*self.verdicts, *self.texts}), pa.string())


def in_force(marks: Iterable[Mark]) -> list[Mark]:
    """The marks that were not retracted later, each once."""
    found: dict[str, list[Mark]] = {}
    for mark in marks:
        if mark.kind == "retract":
            found.pop(mark.id, None)
        elif mark not in found.setdefault(mark.id, []):
            found[mark.id].append(mark)
    return [mark for said in found.values() for mark in said]


def draws(marks: Iterable[Mark]) -> dict[str, Drawn]:
    """The utterances that were drawn at random. They stay so, whatever is said of them when they are found again."""
    return {mark.id: mark.drawn for mark in marks if mark.drawn}


def conflicts(marks: Sequence[Mark]) -> list[Mark]:
    """Those that say different things of one utterance: other texts, or both reject and accept."""
    said: dict[tuple[str, str], list[Mark]] = {}
    for mark in marks:
        said.setdefault(_question(mark), []).append(mark)
    disputed = {question for question, found in said.items() if not _agree(found)}
    return [mark for mark in marks if _question(mark) in disputed]


def effects(marks: Iterable[Mark]) -> Effects:
    """What the marks change, without those that are in conflict."""
    standing = in_force(marks)
    disputed = {*conflicts(standing)}
    agreed = [mark for mark in standing if mark not in disputed]
    return Effects(
        {mark.id: mark for mark in agreed if mark.kind in {"reject", "accept"}},
        {mark.id: mark for mark in agreed if mark.kind == "text" and mark.text},
    )


def _question(mark: Mark) -> tuple[str, str]:
    return mark.id, "verdict" if mark.kind in {"reject", "accept"} else mark.kind


def _agree(marks: Sequence[Mark]) -> bool:
    """Whether marks that answer one question can all be right.

    Of texts: who read a text that another one corrected, and found it right, agrees with the correction.
    """
    if marks[0].kind != "text":
        return len({mark.kind if mark.kind in {"reject", "accept"} else mark.said for mark in marks}) == 1
    right = {digest(mark.text) if mark.text else mark.text_seen for mark in marks if mark.is_right}
    wrong = {mark.text_seen for mark in marks if mark.verdict == "wrong"}
    return len(right) <= 1 and not right & wrong


def applied(segments: pa.Table, known: Effects, texts_of: Callable[[pa.Table], Sequence[str | None]]) -> pa.Table:
    """Judged segments as people want them, with `marked` (accept, reject or null) and `human_text`.

    A mark counts where the text is the one that its author saw; `texts_of` gives those of some segments. `accept` keeps
    what thresholds reject, never what a stage excluded or what failed; `reject` rejects what would be kept.
    """
    where = np.flatnonzero(pc.is_in(segments["id"], value_set=known.ids).to_numpy())
    marked, human = np.full((2, segments.num_rows), None, dtype=object)
    named = segments.take(pa.array(where))
    for row, identifier, text in zip(
        where, named["id"].to_pylist(), texts_of(named) if len(where) else (), strict=True
    ):
        verdict, written, seen = known.verdicts.get(identifier), known.texts.get(identifier), {digest(text)}
        if written is not None and written.text_seen in seen:
            human[row] = written.text
            seen.add(digest(written.text))
        if verdict is not None and verdict.text_seen in seen:
            marked[row] = verdict.kind
    status, tried = segments["status"].to_pylist(), pc.is_valid(segments["rules_broken"]).to_numpy()
    changed = {
        name: np.array(segments[name].to_pylist(), dtype=object) for name in ("status", "reason", "value", "threshold")
    }
    for row in where[tried[where]]:
        if marked[row] == "accept" and status[row] == "rejected":
            _set(changed, row, "kept", None)
        elif marked[row] == "reject" and status[row] == "kept":
            _set(changed, row, "rejected", REASON)
    for name, values in changed.items():
        place = segments.column_names.index(name)
        segments = segments.set_column(place, name, pa.array(values, segments.schema.field(name).type))
    return segments.append_column("marked", pa.array(marked, pa.string())).append_column(
        "human_text", pa.array(human, pa.string())
    )


def _set(changed: Mapping[str, Any], row: int, status: str, reason: str | None) -> None:
    changed["status"][row], changed["reason"][row] = status, reason
    changed["value"][row] = changed["threshold"][row] = None
