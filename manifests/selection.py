"""Opens a labelled build, judges its segments by the thresholds of a configuration, and selects the kept ones.

    build = LabelledBuild(out, rules, speaker_threshold=0.2)
    for group in all_groups(out):
        kept = build.select(group, ["language", "text"]).kept

The publish pass judges each staging file once (`judge`) and keeps the outcome, without the payload, in a `judged_file`,
which `select` then reads; `payload` reads the payload of what is kept from the files that `select` names.
"""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage
from curation.manifests import schemas, staging
from curation.manifests.columns.maps import nulls_for, one_chunk, or_null, with_value
from curation.manifests.duplicates.twins import Twin, counted_once
from curation.manifests.groups import RecordingGroup
from curation.manifests.marks.effects import Effects, applied
from curation.manifests.plan import read_plan
from curation.manifests.settle import Span, settled
from curation.manifests.speakers import one_voice, with_joined_speakers
from curation.manifests.staging import BatchName, StagingFile, read_speech, taken
from curation.manifests.verdicts import Rule, judge

JUDGED_FOLDER = "judged"
"""Used by the publish pass only, which empties it at its end."""
REASON = "staging"
"""Of a recording whose rows are missing, or do not belong together."""
CONFIDENCE = "confidence.calibrated"
"""The score that may be calibrated anew."""
_SPAN_COLUMNS = ["source", "span", "offset", "num_samples", "last", "verdict", "scores"]


@dataclass(frozen=True)
class Selection:
    """Spans, and their segments with their verdicts."""

    spans: pa.Table
    """With `pcm` of the recording in its last row, `place`: row in the staging file, `file`: its index in the group."""
    segments: pa.Table
    """With `row` (index into `spans`), `status`, `reason`, `value`, `threshold`, `detail`, and `place`: its index among
    all segments of the staging file. Of whole recordings also with `one_voice`: whether all have the same speaker, and
    `file`: the staging file that they are in."""

    @property
    def kept(self) -> pa.Table:
        """The segments that are published."""
        return filtered(self.segments, pc.equal(self.segments["status"], "kept").to_numpy())

    @property
    def nested(self) -> pa.Table:
        """The spans, each with its `segments`: what a `judged_file` holds."""
        rows = self.segments["row"].to_numpy()
        offsets = np.searchsorted(rows, np.arange(self.spans.num_rows + 1)).astype(np.int32)
        flat = self.segments.drop_columns(["row"]).to_struct_array()
        return self.spans.append_column("segments", pa.ListArray.from_arrays(pa.array(offsets), one_chunk(flat)))


class Recalibrates(Protocol):
    """What gives utterances another calibrated confidence (`curation.stages.consensus.recalibrate`)."""

    @property
    def name(self) -> str:
        """Of the calibration."""

    @property
    def columns(self) -> Sequence[str]:
        """Of `schemas.SPEECH`, that it reads."""

    def confidence(self, segments: pa.Table, speech: pa.Table) -> npt.NDArray[np.float64]:
        """(segments,) expected share of correct words; NaN where it is not known."""


@dataclass(frozen=True)
class LabelledBuild:
    """A build whose label pass is done, at least in part. Small enough to be sent to every worker."""

    out: Storage
    rules: Sequence[Rule]
    speaker_threshold: float
    """Cosine distance below which speakers of two spans of a recording are one."""
    edition: int = 0
    """Whose pass has judged all files before they are selected; 0: they are judged when they are selected."""
    marks: Effects = field(default_factory=Effects)
    """What people want otherwise."""
    recalibration: Recalibrates | None = None

    def select(self, group: RecordingGroup, columns: Sequence[str] = (), twins: Sequence[Twin] = ()) -> Selection:
        """The recordings of a group with their verdicts, and `columns` of segments; `twins` do not count."""
        parts = []
        for name in group.files:
            part = self._judged(name)
            found = read_speech(self.out, name, part.segments, columns) if columns else part.segments.select([])
            parts.append(Selection(part.spans, with_columns(part.segments, found)))
        nothing = StagingFile("", schemas.STAGING.empty_table())
        selection = _settled(_concatenated(parts or [self.judge(nothing)]), group, self.out)
        ids = column(selection.spans, "source", "id").to_pylist()
        once = counted_once(selection.segments, pa.array(ids, pa.string()).take(selection.segments["row"]), twins)
        segments = with_joined_speakers(once, ids, self.speaker_threshold)
        names = pa.array(map(str, group.files), pa.string())
        file = names.take(selection.spans["file"].take(segments["row"]))
        segments = segments.append_column("one_voice", one_voice(segments, ids)).append_column("file", file)
        return Selection(selection.spans, segments)

    def store(self, name: BatchName, judged: Selection) -> None:
        """Store what the pass of this edition has made of a staging file, for `select`."""
        self.out.write_table(judged_file(self.edition, name), judged.nested)

    def _judged(self, name: BatchName) -> Selection:
        """A staging file with its verdicts."""
        if not self.edition:
            return self.judge(staging.read(self.out, name))
        table = self.out.read_table(judged_file(self.edition, name))
        return Selection(table.drop_columns(["segments"]), flatten_segments(table))

    def judge(self, file: StagingFile) -> Selection:
        """Judge the segments of a staging file, in its order. Speakers are as they were labelled within each span."""
        table = file.table.replace_schema_metadata()
        segments = _numbered(flatten_segments(table))
        fresh = self._recalibrated(file, segments)
        scores = with_value(segments["scores"], CONFIDENCE, fresh)
        verdicts = judge(scores, one_chunk(segments["verdict"]), self.rules)
        segments = with_columns(segments.drop_columns(["verdict", "scores"]), verdicts)
        segments = segments.append_column("recalibrated", fresh)
        segments = applied(segments, self.marks, lambda named: self._texts(file, named))
        spans = table.select(_SPAN_COLUMNS).append_column("pcm", or_null(column(table, "media", "pcm")))
        return Selection(_numbered(spans), segments)

    def _recalibrated(self, file: StagingFile, segments: pa.Table) -> pa.Array:
        """The confidence in place of that of the label pass; null where it stays."""
        if self.recalibration is None or not segments.num_rows:
            return pa.nulls(segments.num_rows, pa.float64())
        name = BatchName.parse(posixpath.basename(file.path))
        speech = read_speech(self.out, name, segments, self.recalibration.columns)
        return nulls_for(self.recalibration.confidence(segments, speech))

    def _texts(self, file: StagingFile, segments: pa.Table) -> list[str | None]:
        """The texts of segments of a staging file."""
        name = BatchName.parse(posixpath.basename(file.path))
        found: list[str | None] = read_speech(self.out, name, segments, ["text"])["text"].to_pylist()
        return found


def payload(out: Storage, kept: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Columns of `schemas.SPEECH` of segments of whole recordings, in their order; dotted names reach into them."""
    if not kept.num_rows:
        return schemas.SPEECH.empty_table()
    files = one_chunk(kept["file"]).dictionary_encode()
    file = files.indices.to_numpy()
    parts = [
        read_speech(out, BatchName.parse(name), filtered(kept, file == number), columns)
        for number, name in enumerate(files.dictionary.to_pylist())
    ]
    return taken(pa.concat_tables(parts), np.argsort(np.argsort(file, kind="stable"), kind="stable"))


def flatten_segments(table: pa.Table) -> pa.Table:
    """The nested segments as rows, with `row`: the index of their span in `table`."""
    nested = one_chunk(table["segments"])
    flat = pa.Table.from_struct_array(nested.flatten())
    return flat.append_column("row", pc.list_parent_indices(nested))


def filtered(table: pa.Table, mask: npt.NDArray[np.bool_]) -> pa.Table:
    """The rows where `mask` is true; nothing is copied where it is true everywhere: audio is most of a build."""
    return table if mask.all() else table.filter(pa.array(mask))


def with_columns(table: pa.Table, other: pa.Table) -> pa.Table:
    """The table with the columns of another of equal length."""
    for name in other.column_names:
        table = table.append_column(name, other[name])
    return table


def column(table: pa.Table, outer: str, inner: str) -> pa.Array:
    """One field of a struct column, as one chunk."""
    return pc.struct_field(one_chunk(table[outer]), inner)


def judged_folder(edition: int) -> str:
    """What a publish pass has judged so far."""
    return f"{JUDGED_FOLDER}/v{edition}"


def judged_file(edition: int, name: BatchName) -> str:
    """What it has made of a staging file: `Selection.nested`."""
    return f"{judged_folder(edition)}/{name}.parquet"


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


def _settled(selection: Selection, group: RecordingGroup, out: Storage) -> Selection:
    """The spans that count for each recording of the group, and their segments; one failed span where none do."""
    mine: dict[str, list[Span]] = {identifier: [] for identifier in group.homes}
    misplaced = _misplaced(selection)
    for identifier, span in _spans_of(selection, group.files):
        if span.unit >= group.homes.get(identifier, span.unit + 1) and span.row not in misplaced:
            mine[identifier].append(span)
    order: list[int] = []
    failures: list[dict[str, Any]] = []
    for identifier, spans in mine.items():
        rows = settled(spans)
        if rows is None:
            rows = [selection.spans.num_rows + len(failures)]
            failures.append(_failure(identifier, spans))
        order += rows
    _add_sources(failures, out)
    if not failures and order == list(range(selection.spans.num_rows)):
        return selection
    spans = pa.concat_tables([selection.spans, pa.Table.from_pylist(failures, schema=selection.spans.schema)])
    return _taken_spans(Selection(spans, selection.segments), np.asarray(order, np.int64))


def _misplaced(selection: Selection) -> set[int]:
    """The spans with segments that overlap, or leave them."""
    spans, segments = selection.spans, selection.segments
    row, start, end = (segments[name].to_numpy() for name in ("row", "start", "end"))
    offset = spans["offset"].to_numpy()[row]
    outside = (start < offset) | (end > offset + spans["num_samples"].to_numpy()[row]) | (end < start)
    order = np.lexsort((end, start, row))
    overlap = (row[order][1:] == row[order][:-1]) & (start[order][1:] < end[order][:-1])
    return {*row[outside].tolist(), *row[order][1:][overlap].tolist()}


def _spans_of(selection: Selection, files: Sequence[BatchName]) -> Iterator[tuple[str, Span]]:
    """All spans with the id of their recording."""
    segments = selection.segments
    failed = np.zeros(selection.spans.num_rows, np.int64)
    broken = segments.filter(pc.equal(segments["status"], "failed"))
    np.add.at(failed, broken["row"].to_numpy(), broken["end"].to_numpy() - broken["start"].to_numpy())
    for place, row in enumerate(selection.spans.to_pylist()):
        is_failed = row["verdict"] is not None and row["verdict"]["status"] == "failed"
        length = row["num_samples"]
        gone, lost = length if is_failed else int(failed[place]), is_failed and not length
        version, unit = row["source"]["version"] or "", files[row["file"]].unit
        span = Span(place, row["span"], row["offset"], length, row["last"], version, unit, gone, lost)
        yield row["source"]["id"], span


def _failure(identifier: str, spans: Sequence[Span]) -> dict[str, Any]:
    """A row of the spans for a recording whose rows cannot be used, as long as they say that it is."""
    versions = sorted({span.version for span in spans})
    if not spans:
        detail = "no staging file has it"
    elif len(versions) > 1:
        detail = f"its file changed while it was labelled ({', then '.join(versions)})"
    else:
        detail = "its staging files are of different decodes, and none is whole"
    verdict = {"status": "failed", "reason": REASON, "detail": f"{detail}: label it again with --retry-failed"}
    length = max((span.offset + span.length for span in spans), default=0)
    place = {"span": 0, "offset": 0, "num_samples": length, "last": True, "place": 0, "file": 0}
    return {"source": identifier, "verdict": verdict, **place}


def _add_sources(failures: Sequence[dict[str, Any]], out: Storage) -> None:
    """Put the planned sources in place of the ids in rows of failures."""
    if not failures:
        return
    by_id = {row["source"]: row for row in failures}
    for item in read_plan(out).recordings(min(by_id), f"{max(by_id)}\0"):
        if item.source.id in by_id:
            by_id[item.source.id]["source"] = {**asdict(item.source), "version": "", "extra": "{}"}


def _taken_spans(selection: Selection, order: npt.NDArray[np.int64]) -> Selection:
    """The spans at these places, and their segments in their order."""
    position = np.full(selection.spans.num_rows, -1)
    position[order] = np.arange(len(order))
    row = position[selection.segments["row"].to_numpy()]
    chosen = np.flatnonzero(row >= 0)
    chosen = chosen[np.argsort(row[chosen], kind="stable")]
    segments = selection.segments.take(pa.array(chosen))
    segments = segments.set_column(segments.column_names.index("row"), "row", pa.array(row[chosen]))
    return Selection(selection.spans.take(pa.array(order)), segments)
