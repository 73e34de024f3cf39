"""The publish pass: judge, tokenize what is kept, write ledger, shards and index.

No ASR or diarization model runs here, so repeating it with other thresholds is cheap. Every step is a map over
idempotent tasks; the index is written last, and a build without it is not finished. A staging file is judged once, by
the first step; the others use what it stored, and the shards read the payload of the kept segments only.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.core.version import __version__
from curation.manifests import index, ledger, schemas, shards, tokens
from curation.manifests.error_rates import ErrorRate, add_rates
from curation.manifests.index import ShardEntry, ShardIndex
from curation.manifests.selection import LabelledBuild, RecordingGroup, filtered, payload
from curation.pipeline.assemble import tokenizer_gpus
from curation.pipeline.encode import BatchJudge
from curation.pipeline.job import Job, LedgerPartWritten, Runtime, ShardWritten
from curation.pipeline.monitor import Monitor
from curation.pipeline.provenance import labelled_build
from curation.tokenize.pair import load_tokenizers

GROUPS_PER_LEDGER_PART = 256
FILES_PER_TASK = 256
"""Staging files that are judged by one task where nothing is tokenized."""

Item = TypeVar("Item")


def publish(job: Job, runtime: Runtime, monitor: Monitor) -> tuple[StageTimes, dict[str, ErrorRate]]:
    """Run the pass; returns the time that labelling took, and its errors."""
    out, config = job.out, job.config
    out.remove(index.FILE)
    tokenizers = load_tokenizers(config.tokenize, device="cpu")  # for their fingerprints; no GPU is needed here
    fingerprint = tokenizers.fingerprint if tokenizers else None
    labelled = labelled_build(out, config)
    groups = labelled.groups()
    label = _judge(job, runtime, groups, monitor)
    kept = _write_ledger(labelled, runtime, groups, monitor)
    cut = ShardCut.of(sum(kept), config.publish.shard_hours)
    make_writer = partial(
        ShardWriter, labelled, cut, fingerprint, config.publish.row_group_rows, audio=config.publish.audio
    )
    tasks = cut.tasks(groups, kept)
    entries = [done.entry for done in monitor.follow("shards", len(tasks), runtime.map(make_writer, tasks))]
    _remove_others(out, shards.FOLDER, {entry.file for entry in entries})
    ShardIndex(
        shards=sorted(entries, key=lambda entry: entry.file),
        row_group_rows=config.publish.row_group_rows,
        tokenizers=tokenizers.describe() if tokenizers else None,
        denoise=config.denoise.model_dump(mode="json") if config.denoise else None,
        software=__version__,
    ).write(out)
    labelled.forget_judged()
    return label


def _judge(
    job: Job, runtime: Runtime, groups: Sequence[RecordingGroup], monitor: Monitor
) -> tuple[StageTimes, dict[str, ErrorRate]]:
    """Judge all staging files and tokenize what is kept; returns what the files say of the label pass."""
    names = sorted({name for group in groups for name in group.files})
    size = FILES_PER_TASK if job.config.tokenize is None else 1
    tasks = [names[start : start + size] for start in range(0, len(names), size)]
    times, gpus = StageTimes(), tokenizer_gpus(job.config)
    errors: dict[str, ErrorRate] = {}
    for done in monitor.follow("judge", len(tasks), runtime.map(partial(BatchJudge, job), tasks, gpus=gpus)):
        times.add(done.label_times)
        add_rates(errors, done.label_errors)
        monitor.journal.add_models(done.model_seconds)
    return times, errors


@dataclass(frozen=True)
class LedgerTask:
    """A part of the ledger: these groups, of which the first has this number among all."""

    first_group: int
    groups: Sequence[RecordingGroup]

    @property
    def file(self) -> str:
        """Name in the folder of the ledger."""
        return f"part-{self.first_group // GROUPS_PER_LEDGER_PART:06d}.parquet"


def _write_ledger(
    labelled: LabelledBuild, runtime: Runtime, groups: Sequence[RecordingGroup], monitor: Monitor
) -> list[int]:
    """Write all parts of the ledger; returns the samples that each group of recordings keeps."""
    starts = range(0, len(groups), GROUPS_PER_LEDGER_PART)
    tasks = [LedgerTask(start, groups[start : start + GROUPS_PER_LEDGER_PART]) for start in starts]
    kept = [0] * len(groups)
    for done in monitor.follow("ledger", len(tasks), runtime.map(partial(LedgerWriter, labelled), tasks)):
        kept[done.first_group : done.first_group + len(done.kept_samples)] = done.kept_samples
    _remove_others(labelled.out, ledger.FOLDER, {task.file for task in tasks})
    return kept


@dataclass(frozen=True)
class LedgerWriter:
    """Writes one part of the ledger."""

    labelled: LabelledBuild

    def __call__(self, task: LedgerTask) -> LedgerPartWritten:
        """Write the part; the result says how many samples each of its groups keeps."""
        parts, kept = [], []
        for group in task.groups:
            selection = self.labelled.stored(group)
            parts.append(ledger.ledger_rows(selection))
            kept.append(int(np.sum(_lengths(selection.kept))))
        self.labelled.out.write_table(f"{ledger.FOLDER}/{task.file}", pa.concat_tables(parts))
        return LedgerPartWritten(first_group=task.first_group, kept_samples=kept)


@dataclass(frozen=True)
class ShardTask:
    """A shard: its number, and the groups that it takes from, each with the samples that all groups before it keep."""

    shard: int
    groups: Sequence[tuple[RecordingGroup, int]]


@dataclass(frozen=True)
class ShardCut:
    """How many shards there are, and the samples that they share."""

    count: int
    samples: int

    @classmethod
    def of(cls, samples: int, shard_hours: float) -> "ShardCut":
        """As many shards as hold the samples with `shard_hours` each at most."""
        return cls(max(1, math.ceil(samples / (shard_hours * 3600 * SAMPLE_RATE))), samples)

    def tasks(self, groups: Sequence[RecordingGroup], kept: Sequence[int]) -> list[ShardTask]:
        """A task for each shard; `kept` are the samples that each group keeps."""
        before = np.r_[0, np.cumsum(kept)]
        tasks = []
        for shard in range(self.count):
            low, high = self.samples * shard / self.count, self.samples * (shard + 1) / self.count
            first, last = np.searchsorted(before, low, "right") - 1, np.searchsorted(before, high, "left")
            mine = [number for number in range(int(first), min(int(last), len(groups))) if kept[number]]
            tasks.append(ShardTask(shard, [(groups[number], int(before[number])) for number in mine]))
        return tasks


@dataclass(frozen=True)
class ShardWriter:
    """Writes one shard."""

    labelled: LabelledBuild
    cut: ShardCut
    fingerprint: str | None
    """Of the tokenizers; None: nothing is tokenized."""
    row_group_rows: int
    audio: bool

    def __call__(self, task: ShardTask) -> ShardWritten:
        """Write the shard."""
        name = shards.file_name(task.shard, self.cut.count)
        tally = _Tally()
        schema = schemas.SHARDS.with_metadata(
            {
                "curation.format": index.FORMAT_VERSION,
                "curation.version": __version__,
                "curation.tokenizers": self.fingerprint or "",
            }
        )
        with self.labelled.out.table_writer(name, schema, self.row_group_rows) as writer:
            for rows in _ahead(lambda item: self._rows_of(task.shard, *item), task.groups):
                writer.add(rows)
                tally.add(rows)
        return ShardWritten(entry=tally.entry(name.split("/")[1], writer.bytes, writer.sha256))

    def _rows_of(self, shard: int, group: RecordingGroup, before: int) -> pa.Table:
        """What a group gives to the shard; it may share its utterances with the shards beside."""
        out, selection = self.labelled.out, self.labelled.stored(group)
        kept = selection.kept
        mine = filtered(kept, shards.shard_of(_lengths(kept), before, self.cut.samples, self.cut.count) == shard)
        if not mine.num_rows:
            return schemas.SHARDS.empty_table()
        columns = [name for name in shards.PAYLOAD if self.audio or name != "audio"]
        streams = tokens.streams_of(out, group.files, self.fingerprint, mine["id"]) if self.fingerprint else None
        return shards.shard_rows(mine, payload(out, group, selection.spans, mine, columns), streams)


@dataclass
class _Tally:
    """Counts what goes into a shard, for its entry in the index."""

    rows: int = 0
    seconds: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        self.seconds += float(np.sum(table["seconds"].to_numpy()))
        for stream in tokens.STREAMS:
            self.tokens[stream] += int(pc.sum(pc.list_value_length(table[stream])).as_py() or 0)

    def entry(self, file: str, size: int, sha256: str) -> ShardEntry:
        counts = {stream: self.tokens[stream] for stream in tokens.STREAMS}
        return ShardEntry(file=file, rows=self.rows, seconds=self.seconds, tokens=counts, bytes=size, sha256=sha256)


def _lengths(segments: pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Samples of each segment."""
    return np.asarray(segments["end"].to_numpy() - segments["start"].to_numpy())


def _ahead(work: Callable[[Item], pa.Table], items: Sequence[Item]) -> Iterator[pa.Table]:
    """The results in order, each computed while the previous one is used: reading and writing overlap."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for item in items:
            waiting, ready = pool.submit(work, item), waiting
            if ready is not None:
                yield ready.result()
        if waiting is not None:
            yield waiting.result()


def _remove_others(out: Storage, folder: str, current: set[str]) -> None:
    """Delete the leftovers of an earlier publish pass."""
    for name in out.names(folder):
        if name.endswith(".parquet") and name not in current:
            out.remove(f"{folder}/{name}")
