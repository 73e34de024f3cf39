"""The staging data set: what the label pass commits, two Parquet files for each batch of recordings.

`staging/UNIT-BATCH.parquet`, or `UNIT-BATCH-last.parquet` for the final batch of a unit, has what judging needs: a row
is a `Recording`, with its segments and their scores nested in it. `speech/` has a file of the same name with all that
shards need, a row for each of these segments, in the same order: nearly all of the bytes. Its texts are read of every
segment, its words and audio of what is kept.

The speech is written first. The batch is done once its staging file is there: files are written atomically, so that the
names alone say what is done. The labelling times are in the metadata, not in the rows: equal input gives equal rows.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.flac import encode_flac
from curation.core.errors import DataError
from curation.core.parquet import damage_named
from curation.core.records import typed
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests import schemas
from curation.manifests.error_rates import ErrorRate, error_rates
from curation.manifests.records import Edit, Hypothesis, Recording, Segment, Verdict, Word

FOLDER = "staging"
SPEECH_FOLDER = "speech"
STAGING_VERSION = "2"
VERSION_KEY = "curation.staging"
TIMES_KEY = "curation.timing"
ERRORS_KEY = "curation.errors"
"""Of the file's metadata."""
Meta = TypeVar("Meta")
REMEDY = "remove it and run the same command again to label its batch"


@dataclass(frozen=True, slots=True, order=True)
class BatchName:
    """Which batch of which unit a staging file holds."""

    unit: int
    batch: int
    last: bool = False

    def __str__(self) -> str:
        return f"{self.unit:08d}-{self.batch:06d}" + ("-last" if self.last else "")

    @property
    def file(self) -> str:
        """Name of its file inside the build."""
        return f"{FOLDER}/{self}.parquet"

    @property
    def speech(self) -> str:
        """Name of the file with its texts, words and audio."""
        return f"{SPEECH_FOLDER}/{self}.parquet"

    @classmethod
    def parse(cls, name: str) -> "BatchName":
        """The inverse of `str`, with or without the file's extension. DataError for any other name."""
        match = re.fullmatch(r"(\d{8})-(\d{6})(-last)?(\.parquet)?", name)
        if match is None:
            msg = f"{FOLDER}/{name} is not a staging file of this software: remove it"
            raise DataError(msg)
        return cls(int(match[1]), int(match[2]), match[3] is not None)


def segment_id(source_id: str, start: int, end: int) -> str:
    """Identifier of an utterance: the recording and its place in it (samples at 16 kHz)."""
    return f"{source_id}-{start:010d}-{end:010d}"


def to_row(recording: Recording) -> dict[str, Any]:
    """A recording as the row of `schemas.STAGING`."""
    several = recording.span > 0 or not recording.last
    return {
        **_span_row(recording),
        "segments": [
            {
                "id": segment_id(recording.source.id, segment.start, segment.end),
                "start": segment.start,
                "end": segment.end,
                "speaker": segment.speaker,
                "verdict": _optional(segment.verdict),
                "scores": _map(segment.scores),
                "speaker_embedding": _embedding(segment) if several else None,
            }
            for segment in _in_order(recording)
        ],
    }


def _span_row(recording: Recording) -> dict[str, Any]:
    """What a row says of the span, without its segments."""
    source = dataclasses.asdict(recording.source)
    source["extra"] = json.dumps(source["extra"], sort_keys=True, ensure_ascii=False)
    return {
        "source": source,
        "media": dataclasses.asdict(recording.media),
        "span": recording.span,
        "offset": recording.offset,
        "num_samples": recording.num_samples,
        "last": recording.last,
        "verdict": _optional(recording.verdict),
        "scores": _map(recording.scores),
        "notes": _map(recording.notes),
    }


def speech_rows(recording: Recording, *, audio: bool) -> list[dict[str, Any]]:
    """Its segments as rows of `schemas.SPEECH`, in the order of `to_row`; with their audio as FLAC if asked."""
    span = {f"span_{name}": value for name, value in _span_row(recording).items()}
    span = {name: value for name, value in span.items() if name in schemas.SPEECH.names}
    return [
        {
            "id": segment_id(recording.source.id, segment.start, segment.end),
            "scores": _map(segment.scores),
            "language": segment.language,
            "hypotheses": [
                {**_fields(item), "words": [_fields(word) for word in item.words], "scores": _map(item.scores)}
                for item in segment.hypotheses
            ],
            "text": segment.text,
            "words": [_fields(word) for word in segment.words],
            "edits": [_fields(edit) for edit in segment.edits],
            "notes": _map(segment.notes),
            "speaker_embedding": _embedding(segment),
            "audio": encode_flac(wave) if audio and (wave := segment.published) is not None else None,
            **span,
        }
        for segment in _in_order(recording)
    ]


def _in_order(recording: Recording) -> list[Segment]:
    return sorted(recording.segments, key=lambda segment: segment.start)


def _embedding(segment: Segment) -> npt.NDArray[np.float32] | None:
    return None if segment.speaker_embedding is None else segment.speaker_embedding.astype(np.float32)


def _fields(record: Word | Edit | Hypothesis | Verdict) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _optional(verdict: Verdict | None) -> dict[str, Any] | None:
    return None if verdict is None else _fields(verdict)


def _map(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """In order; a number that is none (NaN) was not measured, and is left out."""
    return sorted((name, value) for name, value in values.items() if value == value)  # noqa: PLR0124 - NaN differs


def commit(out: Storage, name: BatchName, recordings: Sequence[Recording], times: StageTimes, *, audio: bool) -> None:
    """Write the batch. It is done once its staging file exists; writing it again changes nothing."""
    rows = [row for recording in recordings for row in speech_rows(recording, audio=audio)]
    out.write_table(name.speech, pa.Table.from_pylist(rows, schema=schemas.SPEECH))
    errors = {name: dataclasses.asdict(rate) for name, rate in error_rates(recordings).items()}
    metadata = {
        VERSION_KEY: STAGING_VERSION,
        TIMES_KEY: json.dumps(times.to_json(), sort_keys=True),
        ERRORS_KEY: json.dumps(errors, sort_keys=True),
    }
    table = pa.Table.from_pylist([to_row(recording) for recording in recordings], schema=schemas.STAGING)
    out.write_table(name.file, table.replace_schema_metadata(metadata))


@dataclass(frozen=True)
class StagingFile:
    """A staging file that was read."""

    path: str
    table: pa.Table
    """Of `schemas.STAGING`."""

    @property
    def times(self) -> StageTimes:
        """The times of labelling the batch, as passed to `commit`. Raises DataError where they are damaged."""
        return self._metadata(TIMES_KEY, StageTimes)

    @property
    def errors(self) -> dict[str, ErrorRate]:
        """How often models broke on the batch (`error_rates`). Raises DataError where they are damaged."""
        return self._metadata(ERRORS_KEY, dict[str, ErrorRate])

    def _metadata(self, key: str, kind: type[Meta]) -> Meta:
        with damage_named(self.path, REMEDY):
            content = (self.table.schema.metadata or {})[key.encode()]
        try:
            return typed(kind, json.loads(content))
        except ValueError as error:
            msg = f"{self.path} is damaged ({key}: {error}): {REMEDY}"
            raise DataError(msg) from error


def without_examples(table: pa.Table) -> pa.Table:
    """A table of a staging file without the texts of errors in its metadata, which may name a recording."""
    metadata = dict(table.schema.metadata or {})
    if ERRORS_KEY.encode() in metadata:
        errors = json.loads(metadata[ERRORS_KEY.encode()])
        for rate in errors.values():
            rate["example"] = ""
        metadata[ERRORS_KEY.encode()] = json.dumps(errors, sort_keys=True).encode()
    return table.replace_schema_metadata(metadata)


def read(out: Storage, name: BatchName) -> StagingFile:
    """A staging file. Raises DataError, with the remedy, where it is damaged; FileNotFoundError if it is not there."""
    path = f"{out.root}/{name.file}"
    with damage_named(path, REMEDY):
        table = out.read_table(name.file)
        version = (table.schema.metadata or {})[VERSION_KEY.encode()].decode()
    if version != STAGING_VERSION:
        msg = f"{path} is of another version of this software: use that one, or build into another folder"
        raise DataError(msg)
    return StagingFile(path, table)


def read_speech(out: Storage, name: BatchName, segments: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Columns of `schemas.SPEECH` for segments of a batch, row by row; dotted names reach into structs and lists.

    `segments` have `id`, and `place`: the index among all segments of the batch, or what it was before a removal took
    others out. Raises DataError, with the remedy, where the file is damaged, not there, or of another labelling than
    the staging file.
    """
    path, place = f"{out.root}/{name.speech}", segments["place"].to_numpy()
    remedy = f"remove {out.root}/{name.file} and run the same command again to label its batch"
    try:
        with damage_named(path, remedy), out.open_table(name.speech) as file:
            table = file.read(columns=["id", *columns]).replace_schema_metadata()
    except FileNotFoundError as error:
        msg = f"{path} is not there: {remedy}"
        raise DataError(msg) from error
    whole = place.max(initial=-1) < table.num_rows
    found = taken(table, place) if whole else table
    if not found["id"].equals(segments["id"]):
        moved = pc.index_in(segments["id"], value_set=table["id"].combine_chunks())
        if moved.null_count:
            msg = f"{path} has other segments than {name.file}: {remedy}"
            raise DataError(msg)
        found = table.take(moved)
    return found.drop_columns(["id"])


def taken(table: pa.Table, places: npt.NDArray[np.int64]) -> pa.Table:
    """The rows at `places`; nothing is copied where they are all rows in order."""
    in_order = len(places) == table.num_rows and np.array_equal(places, np.arange(len(places)))
    return table if in_order else table.take(pa.array(places))


def committed(out: Storage) -> list[BatchName]:
    """All batches that are done, in order."""
    return sorted(BatchName.parse(name) for name in out.names(FOLDER))
