"""Decides which rows of a recording count, where it was decoded or tried more than once.

Rows are spans of the recording. Those that count tile it from its beginning to a span that is the last, all of one
version of the file. Of all ways to do so, the one in which the least failed is taken, and what another version of the
file gave only where less failed of it and no less is sound: trying again never makes an outcome worse. Where there is
no way, the recording is inconsistent, and fails as a whole.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """A row of a recording; `row` is its place in the caller's table. Times are samples."""

    row: int
    number: int
    offset: int
    length: int
    last: bool
    version: str
    """Of the file that was decoded."""
    unit: int
    """The unit that labelled it; of two equal spans, the one of the later unit counts."""
    failed: int
    """Samples that failed."""
    lost: bool
    """Whether an unknown length failed: the file could not be opened, say."""


class _Way(NamedTuple):
    """Spans that follow one another, and what is wrong with them: the least counts first."""

    lost: int
    failed: int
    sound: int
    age: int
    rows: tuple[int, ...]

    def then(self, span: Span) -> "_Way":
        return _Way(
            self.lost + span.lost,
            self.failed + span.failed,
            self.sound - (span.length - span.failed),
            self.age - span.unit,
            (*self.rows, span.row),
        )


def settled(spans: Sequence[Span]) -> list[int] | None:
    """The rows that count for a recording, in order; None where they are inconsistent."""
    files: dict[tuple[str, int], list[Span]] = {}
    for span in spans:
        # Without a version nothing says that two units read the same content.
        files.setdefault((span.version, -1 if span.version else span.unit), []).append(span)
    ways = [way for same_file in files.values() if (way := _best(same_file)) is not None]
    chosen: _Way | None = None
    for way in sorted(ways, key=lambda way: way.age, reverse=True):
        if chosen is None or (way[:2] < chosen[:2] and way.sound <= chosen.sound):
            chosen = way
    return list(chosen.rows) if chosen else None


def _best(spans: Sequence[Span]) -> _Way | None:
    """The best way through the spans of one file."""
    reached = {(0, 0): _Way(0, 0, 0, 0, ())}
    whole: list[_Way] = []
    for span in sorted(spans, key=lambda span: (span.number, span.offset)):
        before = reached.get((span.number, span.offset))
        if before is None:
            continue
        way = before.then(span)
        if span.last:
            whole.append(way)
        else:
            place = span.number + 1, span.offset + span.length
            reached[place] = min(way, reached.get(place, way))
    return min(whole, default=None)
