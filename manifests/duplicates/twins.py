"""What does not count, since the corpus has it already: whole recordings, and single utterances."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage
from curation.manifests import schemas
from curation.manifests.columns.maps import one_chunk
from curation.manifests.groups import IdRange

SCHEMA = pa.schema(
    [
        ("recording", pa.string()),
        ("utterance", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("value", pa.float64()),
    ]
)


class Twin(NamedTuple):
    """A recording, or an utterance of it, that does not count."""

    recording: str
    utterance: str
    """Empty: all that the recording has."""
    reason: str
    detail: str
    value: float | None = None


def by_range(ranges: Iterable[IdRange], twins: Iterable[Twin]) -> Iterator[tuple[IdRange, list[Twin]]]:
    """Each range of ids with the twins in it; both are sorted by recording."""
    rest = iter(twins)
    twin = next(rest, None)
    for part in ranges:
        mine: list[Twin] = []
        while twin is not None and (part.end is None or twin.recording < part.end):
            mine.append(twin)
            twin = next(rest, None)
        yield part, mine


def put_twins(out: Storage, file: str, twins: Sequence[Twin]) -> bool:
    """Keep twins in a file where there are any; returns whether there are."""
    if twins:
        out.write_table(file, pa.Table.from_pylist([twin._asdict() for twin in twins], schema=SCHEMA))
    return bool(twins)


def read_twins(out: Storage, file: str) -> list[Twin]:
    """What `put_twins` has kept."""
    return [Twin(**row) for row in out.read_table(file).to_pylist()]


def counted_once(segments: pa.Table, recordings: pa.ChunkedArray, twins: Sequence[Twin]) -> pa.Table:
    """The judged segments, with the verdict of those that do not count; `recordings` are the ids of theirs.

    Of a recording none does, but what failed stays failed; of single utterances those do not that would be kept. No
    threshold is tried on them.
    """
    whole, single = ({twin[by]: twin for twin in twins if bool(twin.utterance) == bool(by)} for by in (0, 1))
    status = one_chunk(segments["status"])
    segments = _rejected(segments, one_chunk(recordings), pc.not_equal(status, "failed"), whole)
    return _rejected(segments, one_chunk(segments["id"]), pc.equal(one_chunk(segments["status"]), "kept"), single)


def _rejected(segments: pa.Table, names: pa.Array, among: pa.Array, twins: dict[str | float | None, Twin]) -> pa.Table:
    """The segments, of which those are rejected that are `among`, and have one of the `names` of twins."""
    if not twins:
        return segments
    place = pc.index_in(names, value_set=pa.array([*twins], pa.string()))
    mine = pc.and_(pc.is_valid(place), among)
    columns = {name: pa.nulls(len(mine), schemas.JUDGED.field(name).type) for name in schemas.JUDGED.names}
    columns["status"] = pa.scalar("rejected")
    for name in ("reason", "detail", "value"):
        values = [getattr(twin, name) for twin in twins.values()]
        columns[name] = pa.array(values, schemas.JUDGED.field(name).type).take(place)
    for name, values in columns.items():
        number = segments.column_names.index(name)
        segments = segments.set_column(number, name, pc.if_else(mine, values, one_chunk(segments[name])))
    return segments
