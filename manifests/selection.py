"""Opens a labelled build, judges its segments by the thresholds of a configuration, and selects the kept ones.

    build = LabelledBuild(out, rules, speaker_threshold=0.2)
    for group in build.groups():
        kept = build.select(group, ["language", "text"]).kept

The publish pass judges each staging file once (`judge`), stores the outcome without the payload (`store`), and reads it
back for ledger and shards (`stored`).
"""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.manifests import schemas, staging
from curation.manifests.plan import Plan, read_plan
from curation.manifests.speakers import Embedding, join_speakers, speaker_centroids
from curation.manifests.staging import BatchName, StagingFile
from curation.manifests.verdicts import Rule, judge

JUDGED_FOLDER = "judged"
"""Used by the publish pass only, which empties it at its end."""
_SPAN_COLUMNS = ["source", "span", "offset", "num_samples", "last", "verdict"]
_SEGMENT_COLUMNS = ["id", "start", "end", "speaker", "verdict", "scores"]


@dataclass(frozen=True, slots=True)
class RecordingGroup:
    """Recordings of one unit that are neighbours in the order of all recordings.

    With one generation of the plan a group is a whole unit; retried recordings come from later units and split the
    earlier ones.
    """

    unit: int
    ids: tuple[str, ...] | None = None
    """None where it is all recordings of the unit."""
    files: tuple[BatchName, ...] = ()
    """The staging files of the unit."""


@dataclass(frozen=True)
class Selection:
    """Spans, and their segments with their verdicts."""

    spans: pa.Table
    """With `place`: row in the staging file; and `file`: index of the file in its group."""
    segments: pa.Table
    """With `row` (index into `spans`), `status`, `reason`, `value`, `threshold`, `detail`, and `place`: its index among
    all segments of the staging file. Of whole recordings also with `one_voice`: whether all have the same speaker."""

    @property
    def kept(self) -> pa.Table:
        """The segments that are published."""
        return filtered(self.segments, pc.equal(self.segments["status"], "kept").to_numpy())


@dataclass(frozen=True)
class LabelledBuild:
    """A build whose label pass is done, at least in part. Small enough to be sent to every worker."""

    out: Storage
    rules: Sequence[Rule]
    speaker_threshold: float
    """Cosine distance below which speakers of two spans of a recording are one."""

    def groups(self) -> list[RecordingGroup]:
        """All recordings that have been labelled, in the order of their ids, with the staging files of their units."""
        units = itertools.groupby(staging.committed(self.out), key=lambda name: name.unit)
        files = {unit: tuple(names) for unit, names in units}
        ordered = ordered_groups(read_plan(self.out))
        return [replace(group, files=files[group.unit]) for group in ordered if group.unit in files]

    def select(self, group: RecordingGroup, columns: Sequence[str] = ()) -> Selection:
        """Read and judge the recordings of a group, with further `columns` of the segments."""
        parts = []
        for name in group.files:
            with staging.opened(self.out, name) as file:
                parts.append(self.judge(file, columns))
        return self._joined(group, parts)

    def judge(self, file: StagingFile, columns: Sequence[str] = ()) -> Selection:
        """Judge the segments of a staging file, in its order. Speakers are as they were labelled within each span."""
        table = file.read(_SPAN_COLUMNS, [*_SEGMENT_COLUMNS, *columns])
        spans, segments = table.select(_SPAN_COLUMNS), flatten_segments(table)
        verdicts = judge(_chunk(segments["scores"]), _chunk(segments["verdict"]), self.rules)
        segments = segments.drop_columns(["verdict", "scores"])
        for name in verdicts.column_names:
            segments = segments.append_column(name, verdicts[name])
        segments = segments.append_column("speaker_embedding", _embeddings(file, spans, segments))
        return Selection(_numbered(spans), _numbered(segments))

    def store(self, name: BatchName, judged: Selection) -> None:
        """Store a result of `judge`, for `stored`."""
        rows = judged.segments["row"].to_numpy()
        offsets = np.searchsorted(rows, np.arange(judged.spans.num_rows + 1)).astype(np.int32)
        flat = judged.segments.drop_columns(["row"]).to_struct_array()
        nested = pa.ListArray.from_arrays(pa.array(offsets), _chunk(flat))
        self.out.write_table(_judged_file(name), judged.spans.append_column("segments", nested))

    def stored(self, group: RecordingGroup) -> Selection:
        """The recordings of a group, as its files were judged and stored."""
        tables = [self.out.read_table(_judged_file(name)) for name in group.files]
        parts = [Selection(table.drop_columns(["segments"]), flatten_segments(table)) for table in tables]
        return self._joined(group, parts)

    def _joined(self, group: RecordingGroup, parts: Sequence[Selection]) -> Selection:
        selection = _in_order(_concatenated(parts), group.ids)
        segments = _with_joined_speakers(selection, self.speaker_threshold)
        return Selection(selection.spans, segments.append_column("one_voice", _one_voice(selection.spans, segments)))


def ordered_groups(plan: Plan) -> Iterator[RecordingGroup]:
    """All recordings of the plan in the order of their ids, each from the unit that counts for it."""
    if len(plan.generations) == 1:
        for unit in pc.unique(plan.generations[0]["unit"]).to_pylist():
            yield RecordingGroup(unit)
        return
    newer = Plan(plan.generations[1:]).current_units()
    streams = [list(zip(table["id"].to_pylist(), table["unit"].to_pylist(), strict=True)) for table in plan.generations]
    current = (pair for pair in heapq.merge(*streams) if newer.get(pair[0], pair[1]) == pair[1])
    for unit, pairs in itertools.groupby(current, key=lambda pair: pair[1]):
        yield RecordingGroup(unit, tuple(identifier for identifier, _ in pairs))


def payload(out: Storage, group: RecordingGroup, spans: pa.Table, chosen: pa.Table, columns: Sequence[str]) -> pa.Table:
    """More columns of chosen segments of a group, in their order, read from the staging files that hold any of them.

    `chosen` are rows of `Selection.segments`, `spans` the selection's. Columns of the segment come under their own
    names, those of its span (`source`, `media`, `scores`, `notes`) as `span_source` and so on.
    """
    rows = spans.select(["file", "place"]).take(chosen["row"])
    file, span = rows["file"].to_numpy(), rows["place"].to_numpy()
    place = chosen["place"].to_numpy()
    parts = []
    for number in np.unique(file):
        mine = file == number
        with staging.opened(out, group.files[number]) as opened:
            table = opened.read(["source", "media", "scores", "notes"], columns)
        part = taken(pa.Table.from_struct_array(_chunk(table["segments"]).flatten()), place[mine])
        outer = table.drop_columns(["segments"]).take(pa.array(span[mine]))
        for name in outer.column_names:
            part = part.append_column(f"span_{name}", outer[name])
        parts.append(part)
    return taken(pa.concat_tables(parts), np.argsort(np.argsort(file, kind="stable"), kind="stable"))


def flatten_segments(table: pa.Table) -> pa.Table:
    """The nested segments as rows, with `row`: the index of their span in `table`."""
    nested = _chunk(table["segments"])
    flat = pa.Table.from_struct_array(nested.flatten())
    return flat.append_column("row", pc.list_parent_indices(nested))


def filtered(table: pa.Table, mask: npt.NDArray[np.bool_]) -> pa.Table:
    """The rows where `mask` is true; nothing is copied where it is true everywhere: audio is most of a build."""
    return table if mask.all() else table.filter(pa.array(mask))


def taken(table: pa.Table, places: npt.NDArray[np.int64]) -> pa.Table:
    """The rows at `places`; nothing is copied where they are all rows in order."""
    in_order = len(places) == table.num_rows and np.array_equal(places, np.arange(len(places)))
    return table if in_order else table.take(pa.array(places))


def column(table: pa.Table, outer: str, inner: str) -> pa.Array:
    """One field of a struct column, as one chunk."""
    return pc.struct_field(_chunk(table[outer]), inner)


def _judged_file(name: BatchName) -> str:
    return f"{JUDGED_FOLDER}/{name}.parquet"


def _embeddings(file: StagingFile, spans: pa.Table, segments: pa.Table) -> pa.Array:
    """Speaker embeddings of the segments of recordings with several spans, whose speakers may be joined; else nulls."""
    kind = schemas.SEGMENT.field("speaker_embedding").type
    alone = pc.and_(pc.equal(spans["span"], 0), spans["last"]).to_numpy()
    if alone.all():
        return pa.nulls(segments.num_rows, kind)
    found = _chunk(flatten_segments(file.read([], ["speaker_embedding"]))["speaker_embedding"])
    return pc.if_else(pa.array(alone[segments["row"].to_numpy()]), pa.scalar(None, kind), found)


def _numbered(table: pa.Table) -> pa.Table:
    """With `place`: the number of the row."""
    return table.append_column("place", pa.array(np.arange(table.num_rows)))


def _concatenated(parts: Sequence[Selection]) -> Selection:
    """The files of a group one after the other, with `file` of each span."""
    spans, segments, before = [], [], 0
    for number, part in enumerate(parts):
        count = part.spans.num_rows
        spans.append(part.spans.append_column("file", pa.array(np.full(count, number))))
        rows = pa.array(part.segments["row"].to_numpy().astype(np.int64) + before)
        segments.append(part.segments.set_column(part.segments.column_names.index("row"), "row", rows))
        before += count
    return Selection(pa.concat_tables(spans), pa.concat_tables(segments))


def _in_order(selection: Selection, ids: Sequence[str] | None) -> Selection:
    """Spans sorted by recording and number, those of the recordings `ids` only, and their segments in their order."""
    spans = selection.spans
    keys = pa.table({"id": column(spans, "source", "id"), "span": spans["span"]})
    order = pc.sort_indices(keys, sort_keys=[("id", "ascending"), ("span", "ascending")]).to_numpy().astype(np.int64)
    if ids is not None:
        wanted = pc.is_in(keys["id"], value_set=pa.array(ids)).to_numpy()
        order = order[wanted[order]]
    if len(order) == spans.num_rows and np.array_equal(order, np.arange(len(order))):
        return selection
    position = np.full(spans.num_rows, -1)
    position[order] = np.arange(len(order))
    row = position[selection.segments["row"].to_numpy()]
    chosen = np.flatnonzero(row >= 0)
    chosen = chosen[np.argsort(row[chosen], kind="stable")]
    segments = selection.segments.take(pa.array(chosen))
    segments = segments.set_column(segments.column_names.index("row"), "row", pa.array(row[chosen]))
    return Selection(spans.take(pa.array(order)), segments)


def _chunk(array: pa.ChunkedArray) -> pa.Array:
    combined = array.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _with_joined_speakers(selection: Selection, threshold: float) -> pa.Table:
    """The segments; a speaker has the same label in all spans of the recording."""
    segments = selection.segments
    ids = column(selection.spans, "source", "id").to_pylist()
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


def _one_voice(spans: pa.Table, segments: pa.Table) -> pa.Array:
    """Whether the recording of each segment has one speaker; overlapped speech, which has no label, does not count."""
    recording = column(spans, "source", "id").take(segments["row"].combine_chunks())
    labelled = pa.table({"recording": recording, "speaker": segments["speaker"]}).filter(pc.field("speaker") != "")
    voices = labelled.group_by("recording").aggregate([("speaker", "count_distinct")])
    several = voices.filter(pc.field("speaker_count_distinct") > 1)["recording"]
    return pc.invert(pc.is_in(recording, value_set=several.combine_chunks()))


def _centroids(part: pa.Table) -> dict[str, Embedding]:
    """Centroid of each speaker of one span, from its segments in order of time."""
    seconds = (part["end"].to_numpy() - part["start"].to_numpy()) / SAMPLE_RATE
    embeddings = [
        None if item is None else np.asarray(item, np.float32) for item in part["speaker_embedding"].to_pylist()
    ]
    utterances = zip(part["speaker"].to_pylist(), seconds, embeddings, strict=True)
    return speaker_centroids(item for item in utterances if item[0])
