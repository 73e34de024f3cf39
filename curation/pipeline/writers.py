"""What the workers of a publish pass write: parts of ledger and segments, and shards. All stream, whatever their size.

Each part of the ledger leaves beside it which utterances it gives to the shards (rows of `schemas.KEPT`), so that a
shard reads these and the payload, and nothing else.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.counts import Distinct
from curation.core.storage import Storage
from curation.core.version import __version__
from curation.manifests import index, ledger, plan, schemas, shards, tokens
from curation.manifests.duplicates.twins import read_twins
from curation.manifests.groups import IdRange, groups
from curation.manifests.index import Portion, ShardEntry
from curation.manifests.schemas import VOICE
from curation.manifests.segments import table as segments
from curation.manifests.segments.table import SegmentTable
from curation.manifests.selection import LabelledBuild, filtered, judged_folder, payload
from curation.manifests.splits.mixture import KEYS, Mixture
from curation.manifests.splits.places import Splits
from curation.manifests.summary import LedgerTally, PartSums, mixture_of, named_speakers
from curation.manifests.voices.names import NONE, VoiceNames
from curation.pipeline.edition import stored
from curation.pipeline.job import LedgerPartWritten, ShardWritten

KEPT_ROWS = 2**16
"""Of `schemas.KEPT` that are in memory at once."""
PIECE_SECONDS = 1800.0
"""Speech whose texts, words and audio are in memory at once while a shard is written."""


@dataclass(frozen=True)
class LedgerTask:
    """A part of the ledger, with these recordings."""

    recordings: IdRange
    has_twins: bool = False
    """Whether some of them do not count (`duplicates.twins`)."""

    @property
    def name(self) -> str:
        """See `job.NamedTask`."""
        return f"ledger-{self.recordings.number:06d}"


@dataclass(frozen=True)
class LedgerWriter:
    """Writes one part of the ledger and of the segments, and which utterances its recordings give to the shards."""

    labelled: LabelledBuild
    table: SegmentTable
    splits: Splits | None = None
    """None: the corpus has none."""
    voices: VoiceNames = NONE

    def __call__(self, task: LedgerTask) -> LedgerPartWritten:
        """Write the part; the result says what its recordings add to the whole."""
        out, number, edition = self.labelled.out, task.recordings.number, self.labelled.edition
        file, samples = ledger.file_name(number, edition), 0
        tally, speakers, mixture = LedgerTally(), Distinct(), Mixture()
        with (
            out.table_writer(_kept_file(edition, number), schemas.KEPT, KEPT_ROWS) as kept_writer,
            out.table_writer(f"{ledger.FOLDER}/{file}", schemas.LEDGER, ledger.ROW_GROUP_ROWS) as writer,
            out.table_writer(f"{segments.FOLDER}/{file}", self.table.schema, segments.ROW_GROUP_ROWS) as all_writer,
        ):
            twins = read_twins(out, twins_file(edition, number)) if task.has_twins else []
            for group in groups(plan.read_plan(out), task.recordings):
                selection = self.labelled.select(group, twins=twins)
                intervals, found = ledger.intervals(selection, self.splits), selection.segments
                rows = intervals.select(schemas.LEDGER.names)
                writer.add(rows)
                speech = payload(out, found, segments.SPEECH_COLUMNS)
                heard = self.table.rows(intervals, found, speech, selection.spans, self.voices)
                all_writer.add(heard)
                found = _with_portion(found, intervals, heard)
                kept = filtered(found, pc.equal(found["status"], "kept").to_numpy()).select(schemas.KEPT.names)
                kept_writer.add(kept)
                samples += int(np.sum(_lengths(kept)))
                tally.add(LedgerTally.of(rows, heard["speaker"]))
                speakers.add(named_speakers(rows, heard["speaker"]))
                mixture.add(mixture_of(rows, heard))
            writer.annotate(PartSums.KEY, PartSums(tally, speakers.values(), mixture).to_text())
        sha256 = {f"{ledger.FOLDER}/{file}": writer.sha256, f"{segments.FOLDER}/{file}": all_writer.sha256}
        part = LedgerPartWritten(number=number, file=file, kept_samples=samples, tally=tally, sha256=sha256)
        return stored(out, edition, task, part)


def _with_portion(found: pa.Table, intervals: pa.Table, heard: pa.Table) -> pa.Table:
    """Segments of a selection with their split, tier and voice, as the rows of the segments have them."""
    segment = intervals.filter(pc.not_equal(intervals["status"], ledger.NON_SPEECH))["segment"]
    known = segment.is_valid().to_numpy()
    row = np.empty(found.num_rows, np.int64)
    row[segment.drop_null().to_numpy()] = np.flatnonzero(known)
    for name in ("split", "tier", VOICE.name):
        found = found.append_column(name, heard[name].take(pa.array(row)))
    return found


def twins_file(edition: int, number: int) -> str:
    """What does not count in a part of the ledger (`duplicates.twins`)."""
    return f"{judged_folder(edition)}/twins-{number:06d}.parquet"


def _kept_file(edition: int, number: int) -> str:
    """What a part of the ledger gives to the shards: rows of `schemas.KEPT`."""
    return f"{judged_folder(edition)}/kept-{number:06d}.parquet"


@dataclass(frozen=True)
class ShardTask:
    """A shard: its number, and the parts of the ledger that it takes from, each with the samples kept before it."""

    shard: int
    parts: Sequence[tuple[int, int]]

    @property
    def name(self) -> str:
        """See `job.NamedTask`."""
        return f"shard-{self.shard:05d}"


@dataclass(frozen=True)
class ShardCut:
    """How many shards there are, and the samples that they share."""

    count: int
    samples: int

    @classmethod
    def of(cls, samples: int, shard_hours: float) -> "ShardCut":
        """As many shards as hold the samples with `shard_hours` each at most."""
        return cls(max(1, math.ceil(samples / (shard_hours * 3600 * SAMPLE_RATE))), samples)

    def tasks(self, kept: Sequence[int]) -> Iterator[ShardTask]:
        """A task for each shard; `kept` are the samples that each part of the ledger keeps."""
        before = np.r_[0, np.cumsum(kept)]
        for shard in range(self.count):
            low, high = self.samples * shard / self.count, self.samples * (shard + 1) / self.count
            first, last = np.searchsorted(before, low, "right") - 1, np.searchsorted(before, high, "left")
            mine = [number for number in range(int(first), min(int(last), len(kept))) if kept[number]]
            yield ShardTask(shard, [(number, int(before[number])) for number in mine])


@dataclass(frozen=True)
class ShardWriter:
    """Writes one shard."""

    out: Storage
    cut: ShardCut
    edition: int
    fingerprint: str | None
    """Of the tokenizers; None: nothing is tokenized."""
    row_group_rows: int
    audio: bool
    calibration: str = ""
    """Of confidences that were calibrated anew."""

    def __call__(self, task: ShardTask) -> ShardWritten:
        """Write the shard."""
        file = shards.file_name(task.shard, self.cut.count, self.edition)
        tally = ShardTally()
        schema = schemas.SHARDS.with_metadata(
            {
                "curation.format": index.FORMAT_VERSION,
                "curation.version": __version__,
                "curation.tokenizers": self.fingerprint or "",
            }
        )
        with self.out.table_writer(f"{shards.FOLDER}/{file}", schema, self.row_group_rows) as writer:
            for rows in _ahead(rows for item in task.parts for rows in self._rows_of(task.shard, *item)):
                writer.add(rows)
                tally.add(rows)
        shard = ShardWritten(entry=tally.entry(file, writer.bytes, writer.sha256))
        return stored(self.out, self.edition, task, shard)

    def _rows_of(self, shard: int, number: int, before: int) -> Iterator[pa.Table]:
        """What a part of the ledger gives to the shard, in pieces: it may share its utterances with others."""
        columns = [name for name in shards.PAYLOAD if self.audio or name != "audio"]
        with self.out.open_table(_kept_file(self.edition, number)) as file:
            for row_group in range(file.num_row_groups):
                kept = file.read_row_group(row_group)
                lengths = _lengths(kept)
                mine = filtered(kept, shards.shard_of(lengths, before, self.cut.samples, self.cut.count) == shard)
                before += int(np.sum(lengths))
                for start, end in pieces(mine["file"].to_pylist(), _lengths(mine)):
                    part = mine.slice(start, end - start)
                    streams = tokens.streams_of(self.out, part, self.fingerprint) if self.fingerprint else None
                    yield shards.shard_rows(part, payload(self.out, part, columns), streams, self.calibration)


@dataclass
class ShardTally:
    """Counts what goes into a shard, for its entry in the index."""

    rows: int = 0
    seconds: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    portions: dict[tuple[str, str, str], tuple[int, float]] = field(default_factory=dict)
    voiced: int = 0

    def add(self, table: pa.Table) -> None:
        """Count rows of `schemas.SHARDS`."""
        self.rows += table.num_rows
        self.seconds += float(np.sum(table["seconds"].to_numpy()))
        if VOICE.name in table.column_names:  # shards of versions without it are written again where something goes
            self.voiced += table.num_rows - table[VOICE.name].null_count
        for stream in tokens.STREAMS:
            self.tokens[stream] += int(pc.sum(pc.list_value_length(table[stream])).as_py() or 0)
        for counter, name in ((self.languages, "language"), (self.licences, "licence")):
            counter.update({row["values"] or "": row["counts"] for row in pc.value_counts(table[name]).to_pylist()})
        for row in table.group_by(KEYS).aggregate([("seconds", "count"), ("seconds", "sum")]).to_pylist():
            split, language, tier = (row[name] or "" for name in KEYS)
            count, seconds = self.portions.get(key := (split, language, tier), (0, 0.0))
            self.portions[key] = count + row["seconds_count"], seconds + row["seconds_sum"]

    def entry(self, file: str, size: int, sha256: str) -> ShardEntry:
        """The entry of a file of so many bytes."""
        counts = {stream: self.tokens[stream] for stream in tokens.STREAMS}
        languages, licences = (dict(sorted(found.items())) for found in (self.languages, self.licences))
        portions = [Portion(*key, *amount) for key, amount in sorted(self.portions.items())]
        sums = self.seconds, counts, size, languages, licences, portions, self.voiced
        return ShardEntry(file, self.rows, sha256, *sums)


def _lengths(segments: pa.Table) -> npt.NDArray[np.int64]:
    """Samples of each segment."""
    return np.asarray(segments["end"].to_numpy() - segments["start"].to_numpy())


def pieces(file: Sequence[Any], lengths: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """First and last row (exclusive) of stretches of utterances that are read at once.

    `file` is the staging file of each, `lengths` its samples. A stretch ends with the last one of a file, so that no
    file is read twice, once it is long enough: recordings of a day, with audio, then take little memory.
    """
    start, samples = 0, 0
    for row, length in enumerate(lengths.tolist()):
        if row > start and samples >= PIECE_SECONDS * SAMPLE_RATE and file[row] != file[row - 1]:
            yield start, row
            start, samples = row, 0
        samples += length
    if len(lengths):
        yield start, len(lengths)


def _ahead(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The tables, each made while the previous one is used: reading and writing overlap."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, tables, None)
        while (ready := waiting.result()) is not None:
            waiting = pool.submit(next, tables, None)
            yield ready
