"""The published shards: one row for each kept utterance, sorted by id, in files of nearly equal hours.

import pyarrow.dataset as ds
table = ds.dataset("OUT/shards", format="parquet", exclude_invalid_files=True).to_table(columns=["text", "glm"])
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.columns import rights
from curation.manifests.columns.maps import Entries, one_chunk, with_value
from curation.manifests.schemas import NOTE_MAP, SHARD_HYPOTHESIS, SHARD_WORD, SHARDS, SPEECH
from curation.manifests.selection import CONFIDENCE, column

FOLDER = "shards"
SOURCE = "text.source"
"""The note that says who wrote a text, where it was a person."""
CALIBRATION = "consensus.calibration"
"""The note that says by which calibration."""
CONFIDENCES = ("confidence", CONFIDENCE)
"""Scores of a text of systems only."""
SUFFIX = re.compile(r"(?:-v(\d+(?:\.\d+)?))?\.parquet$")
PAYLOAD = tuple(SPEECH.names[1:])
"""Columns of the kept segments that are read for the shards."""


def file_name(shard: int, count: int, edition: int = 1) -> str:
    """Name of a shard in its folder."""
    return f"part-{shard:05d}-of-{count:05d}{edition_suffix(edition)}.parquet"


def first_name(file: str) -> str:
    """The name that a shard has in the first edition: equal content then has equal names."""
    return SUFFIX.sub(".parquet", file)


def edition_suffix(edition: int) -> str:
    """What tells the files of an edition from those of another: nothing for the first one."""
    return "" if edition == 1 else f"-v{edition}"


def rewritten(file: str, edition: int) -> str:
    """The name of a file of this or another folder whose rows were left out in part: `…-v2.7` is that of the second
    edition as the seventh has it.
    """
    return SUFFIX.sub(f"-v{origin(file)}.{edition}.parquet", file)


def origin(file: str) -> int:
    """The edition whose recordings a file has."""
    return _numbers(file)[0]


def written_by(file: str) -> int:
    """The edition that wrote a file; 0 for a file of another kind."""
    return _numbers(file)[-1] if re.match(r"part-.*\.parquet$", file) else 0


def _numbers(file: str) -> list[int]:
    found = SUFFIX.search(file)
    return [int(number) for number in found[1].split(".")] if found and found[1] else [1]


def shard_of(lengths: npt.NDArray[np.int64], before: int, total: int, count: int) -> npt.NDArray[np.int64]:
    """Which of `count` shards each utterance belongs to, so that all hold nearly the same time.

    `lengths` are samples, (utterances,); `before` is how many samples are kept before them, `total` the whole.
    """
    middle = before + np.cumsum(lengths) - lengths / 2
    return np.minimum((middle * count / max(total, 1)).astype(np.int64), count - 1)


def shard_rows(judged: pa.Table, payload: pa.Table, streams: pa.Table | None, calibration: str = "") -> pa.Table:
    """Rows of `schemas.SHARDS`: kept segments, their payload (`selection.payload`) and their tokens, row by row.

    `calibration` is the name of that by which confidences were calibrated anew.
    """
    start, end = judged["start"].to_numpy(), judged["end"].to_numpy()
    human = one_chunk(judged["human_text"])
    columns: dict[str, Any] = {name: payload[name] for name in SHARDS.names if name in payload.column_names}
    columns |= {
        "id": judged["id"],
        "recording_id": column(payload, "span_source", "id"),
        "path": column(payload, "span_source", "path"),
        "start": start / SAMPLE_RATE,
        "end": end / SAMPLE_RATE,
        "seconds": (end - start) / SAMPLE_RATE,
        "speaker": voice_names(one_chunk(payload["span_source"]), judged["speaker"], judged["one_voice"]),
        "voice_id": judged["voice_id"],
        "speaker_label": judged["speaker"],
        "manifest_speaker": column(payload, "span_source", "speaker"),
        "split": judged["split"],
        "tier": judged["tier"],
        "text": pc.coalesce(human, one_chunk(payload["text"])),
        "words": unless_human(_words(payload["words"], start), human),
        "pwer": _score(payload, "pwer"),
        "confidence": unless_human(_score(payload, "confidence"), human),
        "hypotheses": hypothesis_lists(payload["hypotheses"]),
        "scores": _merged(with_value(payload["scores"], CONFIDENCE, judged["recalibrated"]), payload["span_scores"]),
        "notes": _notes(payload, human, one_chunk(judged["recalibrated"]), calibration),
        "transcript": column(payload, "span_source", "transcript"),
        **rights.published(column(payload, "span_source", "extra")),
        "source_offset": column(payload, "span_source", "offset"),
        "source_track": column(payload, "span_source", "track"),
        "source_channel": column(payload, "span_source", "channel"),
        "source_sample_rate": column(payload, "span_media", "sample_rate"),
        "source_codec": column(payload, "span_media", "codec"),
    }
    if streams is not None:
        columns |= {name: streams[name] for name in streams.column_names}
    for field in SHARDS:
        columns.setdefault(field.name, pa.nulls(judged.num_rows, field.type))
    return pa.table([_array(columns[field.name], field.type) for field in SHARDS], schema=SHARDS)


def _array(values: Any, kind: pa.DataType) -> Any:
    return pa.array(values, kind) if isinstance(values, np.ndarray) else values


def voice_names(source: pa.Array, labels: pa.ChunkedArray, one_voice: pa.ChunkedArray) -> pa.Array:
    """The manifest's speaker where the recording has one voice: of several it cannot be all. Else its id and the label.

    `source` are structs of `schemas.SOURCE`.
    """
    named = pc.struct_field(source, "speaker")
    generated = pc.binary_join_element_wise(pc.struct_field(source, "id"), one_chunk(labels), "-")
    return pc.if_else(pc.and_(pc.not_equal(named, ""), one_chunk(one_voice)), named, generated)


def _score(kept: pa.Table, name: str) -> Any:
    return pc.map_lookup(kept["scores"].combine_chunks(), pa.scalar(name), "first")


def _words(words: pa.ChunkedArray, starts: npt.NDArray[np.int64]) -> pa.Array:
    """Word times in seconds from the start of the utterance."""
    lists = one_chunk(words)
    flat = lists.flatten()
    parent = pc.list_parent_indices(lists).to_numpy()
    origin = starts[parent]
    start = (pc.struct_field(flat, "start").to_numpy() - origin) / SAMPLE_RATE
    end = (pc.struct_field(flat, "end").to_numpy() - origin) / SAMPLE_RATE
    arrays = [
        pc.struct_field(flat, "text"),
        pa.array(start, pa.float32()),
        pa.array(end, pa.float32()),
        pc.struct_field(flat, "confidence").cast(pa.float32()),
    ]
    return _relist(lists, pa.StructArray.from_arrays(arrays, fields=list(SHARD_WORD)))


def hypothesis_lists(hypotheses: pa.ChunkedArray) -> pa.Array:
    """Hypotheses as they are published: without words, their scores as lists."""
    lists = one_chunk(hypotheses)
    flat = lists.flatten()
    fields = {field.name: pc.struct_field(flat, field.name) for field in SHARD_HYPOTHESIS}
    fields["scores"] = Entries.of(fields["scores"]).lists()
    return _relist(lists, pa.StructArray.from_arrays(list(fields.values()), fields=list(SHARD_HYPOTHESIS)))


def _merged(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.Array:
    """Two columns of maps as one of (name, value) lists, sorted by name; the first counts where both have a name."""
    return Entries.of(first).over(Entries.of(second)).lists()


def _notes(payload: pa.Table, human: pa.Array, recalibrated: pa.Array, calibration: str) -> pa.Array:
    """All notes, and for a text of a person who wrote it, for another confidence by what."""
    notes = Entries.of(payload["notes"]).over(Entries.of(payload["span_notes"]))
    for name, value, there in ((SOURCE, "human", human), (CALIBRATION, calibration, recalibrated)):
        if there.null_count < len(there):
            said = [[(name, value)] if is_there else [] for is_there in there.is_valid().to_pylist()]
            notes = Entries.of(pa.array(said, NOTE_MAP)).over(notes)
    return notes.lists()


def unless_human(values: Any, human: pa.Array) -> pa.Array:
    """Values of texts that systems wrote; null for those of a person, who has no confidence and no word times."""
    return pc.if_else(pc.is_null(human), one_chunk(values), pa.scalar(None, values.type))


def _relist(lists: pa.Array, values: pa.Array) -> pa.Array:
    """New values in the lists of `lists`; works for slices too."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
