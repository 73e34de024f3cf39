"""The staging data set: what the label pass commits, one Parquet file for each batch of recordings.

A row is a `Recording` with its segments nested in it. A file's name is `UNIT-BATCH.parquet`, or
`UNIT-BATCH-last.parquet` for the final batch of a unit; since files are written atomically, the names alone say what is
done. The labelling times of a file are in its metadata, not in its rows: equal input gives equal rows.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.audio.flac import decode_flac, encode_flac
from curation.core.errors import DataError
from curation.core.records import typed
from curation.core.storage import Storage, damage_named
from curation.core.timing import StageTimes
from curation.manifests import schemas
from curation.manifests.error_rates import ErrorRate, error_rates
from curation.manifests.records import Edit, Hypothesis, MediaInfo, Recording, Segment, Source, Verdict, Word

FOLDER = "staging"
STAGING_VERSION = "1"
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


def to_row(recording: Recording, *, audio: bool) -> dict[str, Any]:
    """A recording as the row of `schemas.STAGING`; utterance audio as FLAC if asked."""
    source = dataclasses.asdict(recording.source)
    source["extra"] = json.dumps(source["extra"], sort_keys=True, ensure_ascii=False)
    segments = sorted(recording.segments, key=lambda segment: segment.start)
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
        "segments": [_segment_row(segment, recording.source.id, audio=audio) for segment in segments],
    }


def _segment_row(segment: Segment, source_id: str, *, audio: bool) -> dict[str, Any]:
    embedding = segment.speaker_embedding
    return {
        "id": segment_id(source_id, segment.start, segment.end),
        "start": segment.start,
        "end": segment.end,
        "speaker": segment.speaker,
        "verdict": _optional(segment.verdict),
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
        "speaker_embedding": None if embedding is None else embedding.astype(np.float32),
        "audio": encode_flac(segment.audio) if audio and segment.audio is not None else None,
    }


def _fields(record: Word | Edit | Hypothesis | Verdict) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _optional(verdict: Verdict | None) -> dict[str, Any] | None:
    return None if verdict is None else _fields(verdict)


def _map(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(values.items())


def from_row(row: dict[str, Any]) -> Recording:
    """The inverse of `to_row`, with utterance audio where it was stored."""
    source = {**row["source"], "extra": json.loads(row["source"]["extra"])}
    return Recording(
        source=Source(**source),
        media=MediaInfo(**row["media"]),
        span=row["span"],
        offset=row["offset"],
        num_samples=row["num_samples"],
        last=row["last"],
        verdict=Verdict(**row["verdict"]) if row["verdict"] else None,
        scores=dict(row["scores"]),
        notes=dict(row["notes"]),
        segments=[_segment(item) for item in row["segments"]],
    )


def _segment(row: dict[str, Any]) -> Segment:
    fields = {key: value for key, value in row.items() if key != "id"}
    hypotheses = [
        Hypothesis(**{**item, "words": [Word(**word) for word in item["words"]], "scores": dict(item["scores"])})
        for item in row["hypotheses"]
    ]
    embedding = row["speaker_embedding"]
    fields.update(
        verdict=Verdict(**row["verdict"]) if row["verdict"] else None,
        scores=dict(row["scores"]),
        notes=dict(row["notes"]),
        hypotheses=hypotheses,
        words=[Word(**word) for word in row["words"]],
        edits=[Edit(**edit) for edit in row["edits"]],
        speaker_embedding=None if embedding is None else np.asarray(embedding, dtype=np.float32),
        audio=None if row["audio"] is None else decode_flac(row["audio"]),
    )
    return Segment(**fields)


def commit(out: Storage, name: BatchName, recordings: Sequence[Recording], times: StageTimes, *, audio: bool) -> None:
    """Write the batch. It is done once its file exists; writing it again changes nothing."""
    table = pa.Table.from_pylist([to_row(recording, audio=audio) for recording in recordings], schema=schemas.STAGING)
    errors = {name: dataclasses.asdict(rate) for name, rate in error_rates(recordings).items()}
    metadata = {
        "curation.staging": STAGING_VERSION,
        TIMES_KEY: json.dumps(times.to_json(), sort_keys=True),
        ERRORS_KEY: json.dumps(errors, sort_keys=True),
    }
    out.write_table(name.file, table.replace_schema_metadata(metadata))


@dataclass(frozen=True)
class StagingFile:
    """A staging file that is open for reading. Its methods raise DataError, with the remedy, where it is damaged."""

    path: str
    parquet: pq.ParquetFile

    @property
    def times(self) -> StageTimes:
        """The times of labelling the batch, as passed to `commit`."""
        return self._metadata(TIMES_KEY, StageTimes)

    @property
    def errors(self) -> dict[str, ErrorRate]:
        """How often models broke on the batch (`error_rates`)."""
        return self._metadata(ERRORS_KEY, dict[str, ErrorRate])

    def _metadata(self, key: str, kind: type[Meta]) -> Meta:
        with damage_named(self.path, REMEDY):
            content = (self.parquet.schema_arrow.metadata or {})[key.encode()]
        try:
            return typed(kind, json.loads(content))
        except ValueError as error:
            msg = f"{self.path} is damaged ({key}: {error}): {REMEDY}"
            raise DataError(msg) from error

    def read(self, columns: Sequence[str], segment_columns: Sequence[str] = ()) -> pa.Table:
        """Columns of the rows, and fields of the segments nested in them (in the column `segments`)."""
        nested = [f"segments.list.element.{name}" for name in segment_columns]
        with damage_named(self.path, REMEDY):
            return self.parquet.read(columns=[*columns, *nested]).replace_schema_metadata()


@contextmanager
def opened(out: Storage, name: BatchName) -> Iterator[StagingFile]:
    """Open a staging file. Raises DataError, with the remedy, where it is damaged."""
    path = f"{out.root}/{name.file}"
    with ExitStack() as stack:
        with damage_named(path, REMEDY):
            parquet = stack.enter_context(out.open_table(name.file))
        yield StagingFile(path, parquet)


def committed(out: Storage) -> list[BatchName]:
    """All batches that are done, in order."""
    return sorted(BatchName.parse(name) for name in out.names(FOLDER))
