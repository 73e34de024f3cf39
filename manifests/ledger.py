"""The ledger: every second of every recording with its verdict, as rows that tile the recording without a gap.

    SELECT status, reason, sum(seconds) FROM 'OUT/ledger/*.parquet' GROUP BY ALL      -- DuckDB

A row is an interval: an utterance with its verdict, speech that could not become one, or non-speech.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.schemas import LEDGER, VERDICTS
from curation.manifests.selection import Selection, column
from curation.manifests.shards import edition_suffix

FOLDER = "ledger"
NON_SPEECH = "non_speech"
REMOVED = "removed"
"""Recordings that were taken out of the corpus for good, without a name; the reason is that of the removal."""
ROW_GROUP_ROWS = 2**17
"""Of a part's file."""


def file_name(part: int, edition: int = 1) -> str:
    """Name of a part of the ledger in its folder."""
    return f"part-{part:06d}{edition_suffix(edition)}.parquet"


def removal_name(edition: int) -> str:
    """Name of the part that has the seconds which a removal took out of the corpus for good."""
    return f"part-removed-v{edition}.parquet"


def is_removal(file: str) -> bool:
    """Whether it is such a part: it has no recordings, and stays when the others are written anew."""
    return file.startswith("part-removed-")


def removal_rows(edition: int, reason: str, samples: int) -> pa.Table:
    """The row of `LEDGER` of removed recordings, all together, without their names."""
    values = {"recording_id": f"removed-{edition}", "path": "", "version": "", "start_sample": 0, "end_sample": samples}
    row = {**values, "seconds": samples / SAMPLE_RATE, "status": REMOVED, "reason": reason}
    return pa.Table.from_pylist([row], schema=LEDGER)


class Divides(Protocol):
    """What says which split each recording is in (`manifests.splits.places.Splits`)."""

    def of_recordings(self, ids: pa.Array) -> pa.Array:
        """The split of each, by its id."""


class ConservationError(RuntimeError):
    """The intervals of a recording do not add up to it: a bug in a stage, never a fault of the input."""


def ledger_rows(selection: Selection) -> pa.Table:
    """Rows of `LEDGER` for some recordings. Raises ConservationError where they would not tile each one exactly."""
    return intervals(selection).select(LEDGER.names)


def intervals(selection: Selection, splits: Divides | None = None) -> pa.Table:
    """The same, and where each row comes from: `segment` and `span` are rows of the selection, null for non-speech.

    `splits`: which one each recording is in; None where the corpus has none.
    """
    spans = selection.spans
    recording, names = _recordings(spans)
    offset, length = spans["offset"].to_numpy(), spans["num_samples"].to_numpy()
    _check_spans(recording, names, offset, length, spans["last"].to_numpy(zero_copy_only=False))
    found = pa.concat_tables([_from_segments(selection, recording), _from_verdicts(spans, recording)])
    order = pc.sort_indices(found, sort_keys=[("recording", "ascending"), ("start", "ascending"), ("end", "ascending")])
    found = found.take(order)
    total = np.zeros(len(names), dtype=np.int64)
    np.add.at(total, recording, length)
    tiled = pa.concat_tables([found, _gaps(found, names, total)])
    return _finish(tiled, spans, recording, splits)


def _recordings(spans: pa.Table) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Number of the recording of each span, and the ids; spans come sorted by recording and span."""
    encoded = column(spans, "source", "id").dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _check_spans(
    recording: npt.NDArray[np.int64],
    names: list[str],
    offset: npt.NDArray[np.int64],
    length: npt.NDArray[np.int64],
    last: npt.NDArray[np.bool_],
) -> None:
    first = np.r_[True, recording[1:] != recording[:-1]] if len(recording) else np.zeros(0, bool)
    expected = np.where(first, 0, np.r_[0, (offset + length)[:-1]]) if len(recording) else offset
    final = np.r_[first[1:], True] if len(recording) else first
    wrong = (offset != expected) | (last != final)
    if wrong.any():
        msg = f"the spans of recording {names[recording[np.argmax(wrong)]]} do not follow one another"
        raise ConservationError(msg)


def _from_segments(selection: Selection, recording: npt.NDArray[np.int64]) -> pa.Table:
    segments = selection.segments
    row = segments["row"].to_numpy()
    start, end = segments["start"].to_numpy(), segments["end"].to_numpy()
    offset = selection.spans["offset"].to_numpy()[row]
    outside = (start < offset) | (end > offset + selection.spans["num_samples"].to_numpy()[row]) | (end < start)
    if outside.any():
        msg = f"segment {segments['id'][int(np.argmax(outside))]} is not inside its span"
        raise ConservationError(msg)
    return pa.table(
        {
            "recording": recording[row],
            "start": start,
            "end": end,
            "utterance_id": segments["id"],
            "speaker": segments["speaker"],
            **{name: segments[name] for name in VERDICTS.names},
            "segment": np.arange(segments.num_rows),
            "span": row.astype(np.int64),
        }
    )


def _from_verdicts(spans: pa.Table, recording: npt.NDArray[np.int64]) -> pa.Table:
    """Whole rows with a verdict: what could not be decoded, was silent, or made a stage fail."""
    judged = pc.is_valid(column(spans, "verdict", "status")).to_numpy(zero_copy_only=False)
    part = spans.filter(pa.array(judged))
    start = part["offset"].to_numpy()
    return pa.table(
        {
            "recording": recording[judged],
            "start": start,
            "end": start + part["num_samples"].to_numpy(),
            "utterance_id": pa.nulls(part.num_rows, pa.string()),
            "speaker": pa.nulls(part.num_rows, pa.string()),
            **{name: column(part, "verdict", name) for name in VERDICTS.names},
            "segment": pa.nulls(part.num_rows, pa.int64()),
            "span": np.flatnonzero(judged),
        }
    )


def _gaps(intervals: pa.Table, names: list[str], total: npt.NDArray[np.int64]) -> pa.Table:
    """The non-speech between the intervals. Raises ConservationError where intervals overlap."""
    recording = np.r_[intervals["recording"].to_numpy(), np.arange(len(names))]
    is_end = np.r_[np.zeros(intervals.num_rows, bool), np.ones(len(names), bool)]
    start = np.r_[intervals["start"].to_numpy(), total]
    end = np.r_[intervals["end"].to_numpy(), total]
    order = np.lexsort((is_end, end, start, recording))
    recording, start, end, is_end = recording[order], start[order], end[order], is_end[order]
    first = np.r_[True, recording[1:] != recording[:-1]] if len(recording) else np.zeros(0, bool)
    previous = np.where(first, 0, np.r_[0, end[:-1]])
    if (start < previous).any():
        where = int(np.argmax(start < previous))
        msg = f"intervals of recording {names[recording[where]]} overlap at sample {start[where]}"
        raise ConservationError(msg)
    gap = (start > previous) | (first & is_end)  # a recording without a sample still gets a row
    count = int(gap.sum())
    nothing = {
        name: pa.nulls(count, LEDGER.field(name).type) for name in ("utterance_id", "speaker", *VERDICTS.names[1:])
    }
    return pa.table(
        {
            "recording": recording[gap],
            "start": previous[gap],
            "end": start[gap],
            "utterance_id": nothing["utterance_id"],
            "speaker": nothing["speaker"],
            "status": pa.array([NON_SPEECH] * count, pa.string()),
            **{name: nothing[name] for name in VERDICTS.names[1:]},
            "segment": pa.nulls(count, pa.int64()),
            "span": pa.nulls(count, pa.int64()),
        }
    )


def _finish(tiled: pa.Table, spans: pa.Table, recording: npt.NDArray[np.int64], splits: Divides | None) -> pa.Table:
    order = pc.sort_indices(tiled, sort_keys=[("recording", "ascending"), ("start", "ascending"), ("end", "ascending")])
    tiled = tiled.take(order)
    number = tiled["recording"].to_numpy()
    representative = np.searchsorted(recording, number)
    source = spans.take(pa.array(representative))
    last = np.searchsorted(recording, number, side="right") - 1
    start, end = tiled["start"].to_numpy(), tiled["end"].to_numpy()
    recordings = column(source, "source", "id")
    columns = {
        "recording_id": recordings,
        "path": column(source, "source", "path"),
        "version": column(source, "source", "version"),
        "utterance_id": tiled["utterance_id"],
        "speaker": tiled["speaker"],
        "start_sample": start,
        "end_sample": end,
        "seconds": (end - start) / SAMPLE_RATE,
        **{name: tiled[name] for name in VERDICTS.names},
        "pcm": spans["pcm"].take(pa.array(last)),
        "split": splits.of_recordings(recordings) if splits else pa.nulls(len(recordings), pa.string()),
    }
    rows = pa.table([columns[name] for name in LEDGER.names], schema=LEDGER)
    return rows.append_column("segment", tiled["segment"]).append_column("span", tiled["span"])
