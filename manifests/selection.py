"""Reads staging files as flat tables and decides, segment by segment, what is kept.

A `Run` is a stretch of recordings of one unit that are neighbours in the order of all recordings. With one generation
of the plan a run is a whole unit; recordings that were tried again come from later units and split the earlier ones.
"""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.manifests import schemas, staging, tokens
from curation.manifests.plan import Plan
from curation.manifests.speakers import Embedding, join_speakers, speaker_centroids
from curation.manifests.staging import BatchName
from curation.manifests.verdicts import Rule, judge

SPAN_COLUMNS = ["source", "media", "span", "offset", "num_samples", "last", "verdict", "scores", "notes"]
LIGHT_SEGMENT_COLUMNS = ["id", "start", "end", "speaker", "verdict", "scores", "speaker_embedding"]


@dataclass(frozen=True, slots=True)
class Run:
    """Recordings of one unit; `ids` is None where it is all of them."""

    unit: int
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Selection:
    """The spans of a run, and its segments with their verdicts."""

    spans: pa.Table
    segments: pa.Table
    """With `row` (index into `spans`), `status`, `reason`, `value`, `threshold` and `detail`."""
    timings: list[dict[str, Any]]
    """The time that labelling took, for each file of the run's unit."""

    @property
    def kept(self) -> pa.Table:
        """The segments that are published."""
        return filtered(self.segments, pc.equal(self.segments["status"], "kept").to_numpy())


def ordered_runs(plan: Plan) -> Iterator[Run]:
    """All recordings of the plan in the order of their ids, each from the unit that counts for it."""
    if len(plan.generations) == 1:
        for unit in pc.unique(plan.generations[0]["unit"]).to_pylist():
            yield Run(unit)
        return
    newer = Plan(plan.generations[1:]).current_units()
    streams = [list(zip(table["id"].to_pylist(), table["unit"].to_pylist(), strict=True)) for table in plan.generations]
    current = (pair for pair in heapq.merge(*streams) if newer.get(pair[0], pair[1]) == pair[1])
    for unit, pairs in itertools.groupby(current, key=lambda pair: pair[1]):
        yield Run(unit, tuple(identifier for identifier, _ in pairs))


def select(
    out: Storage,
    run: Run,
    names: Sequence[BatchName],
    rules: Sequence[Rule],
    *,
    fingerprint: str | None,
    speaker_threshold: float,
    columns: Sequence[str] | None = None,
) -> Selection:
    """Read the files `names` of a run and judge its segments.

    `fingerprint` names the token files to join (None: nothing is tokenized). `columns` are the segment fields to
    read (None: all).
    """
    wanted = [*SPAN_COLUMNS, *(f"segments.list.element.{name}" for name in columns or schemas.SEGMENT.names)]
    files = [out.read_table(name.file, wanted) for name in names]
    table = pa.concat_tables([file.replace_schema_metadata() for file in files])
    if run.ids is not None:
        table = table.filter(pc.is_in(pc.struct_field(table["source"], "id"), pa.array(run.ids)))
    table = _in_order(table)
    spans, segments = table.select(SPAN_COLUMNS), flatten_segments(table)
    verdicts = judge(_chunk(segments["scores"]), _chunk(segments["verdict"]), rules)
    segments = segments.drop_columns(["verdict"])
    for name in verdicts.column_names:
        segments = segments.append_column(name, verdicts[name])
    segments = _with_joined_speakers(spans, segments, speaker_threshold)
    if fingerprint is not None:
        segments = tokens.join(out, segments, names, fingerprint)
    return Selection(spans, segments, [staging.timing_of(file) for file in files])


def flatten_segments(table: pa.Table) -> pa.Table:
    """The nested segments as rows, with `row`: the index of their span in `table`."""
    nested = _chunk(table["segments"])
    flat = pa.Table.from_struct_array(nested.flatten())
    return flat.append_column("row", pc.list_parent_indices(nested))


def filtered(table: pa.Table, mask: npt.NDArray[np.bool_]) -> pa.Table:
    """The rows where `mask` is true; nothing is copied where it is true everywhere: audio is most of a build."""
    return table if mask.all() else table.filter(pa.array(mask))


def column(table: pa.Table, outer: str, inner: str) -> pa.Array:
    """One field of a struct column, in one piece."""
    return pc.struct_field(_chunk(table[outer]), inner)


def _in_order(table: pa.Table) -> pa.Table:
    keys = pa.table({"id": column(table, "source", "id"), "span": table["span"]})
    order = pc.sort_indices(keys, sort_keys=[("id", "ascending"), ("span", "ascending")])
    in_order = np.array_equal(order.to_numpy(), np.arange(table.num_rows))
    return table if in_order else table.take(order)


def _chunk(array: pa.ChunkedArray) -> pa.Array:
    combined = array.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _with_joined_speakers(spans: pa.Table, segments: pa.Table, threshold: float) -> pa.Table:
    """Give a voice the same label in all spans of its recording."""
    ids = column(spans, "source", "id").to_pylist()
    if len(set(ids)) == len(ids):
        return segments
    rows = segments["row"].to_numpy()
    labels = np.asarray(segments["speaker"].to_pylist(), dtype=object)
    for _, group in itertools.groupby(range(len(ids)), key=lambda row: ids[row]):
        members = list(group)
        if len(members) == 1:
            continue
        where = [np.flatnonzero(rows == row) for row in members]
        renamed = join_speakers([_centroids(segments.take(pa.array(index))) for index in where], threshold)
        for index, names in zip(where, renamed, strict=True):
            labels[index] = [names.get(label, label) for label in labels[index]]
    position = segments.column_names.index("speaker")
    return segments.set_column(position, "speaker", pa.array(labels.tolist(), pa.string()))


def _centroids(part: pa.Table) -> dict[str, Embedding]:
    """Centroid of each speaker of one span, from its segments in order of time."""
    seconds = (part["end"].to_numpy() - part["start"].to_numpy()) / SAMPLE_RATE
    embeddings = [
        None if item is None else np.asarray(item, np.float32) for item in part["speaker_embedding"].to_pylist()
    ]
    utterances = zip(part["speaker"].to_pylist(), seconds, embeddings, strict=True)
    return speaker_centroids(item for item in utterances if item[0])
