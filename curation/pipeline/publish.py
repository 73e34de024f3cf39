"""The publish pass: judge, tokenize what is kept, write ledger, shards and index.

No ASR or diarization model runs here, so repeating it with other thresholds is cheap. Every step is a map over
idempotent tasks, which are not done again after a kill. The new edition lies beside the old one until the index, which
is written last, names it. A staging file is judged once, by the first step; the others use what it stored, and the
shards read the payload of the kept segments only.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.counts import Distinct
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.core.version import __version__
from curation.manifests import index, ledger, plan, schemas, shards, staging, tokens
from curation.manifests.error_rates import ErrorRate, add_rates
from curation.manifests.groups import IdRange, groups, id_ranges
from curation.manifests.index import ShardEntry, ShardIndex
from curation.manifests.inputs.skipped import read_skipped
from curation.manifests.runs import read_runs
from curation.manifests.selection import JUDGED_FOLDER, LabelledBuild, filtered, payload, places
from curation.manifests.staging import BatchName
from curation.manifests.summary import FILE as SUMMARY
from curation.manifests.summary import LedgerTally, Summary, Timing, named_speakers, summarize
from curation.pipeline.assemble import tokenizer_gpus
from curation.pipeline.config import BuildConfig
from curation.pipeline.edition import Edition
from curation.pipeline.encode import BatchJudge, JudgeTask
from curation.pipeline.job import BatchesJudged, Job, LedgerPartWritten, Runtime, ShardWritten
from curation.pipeline.monitor import Monitor
from curation.pipeline.provenance import labelled_build, write_config
from curation.tokenize.pair import DualTokenizer, load_tokenizers

PIECE_SECONDS = 1800.0
"""Speech whose texts, words and audio are in memory at once while a shard is written."""
FILES_PER_TASK = 256
"""Staging files that are judged by one task where nothing is tokenized."""


def publish(job: Job, runtime: Runtime, monitor: Monitor) -> Summary:
    """Publish a new edition; returns its summary, which is written too."""
    out, config = job.out, job.config
    tokenizers = load_tokenizers(config.tokenize, device="cpu")  # for their fingerprints; no GPU is needed here
    labelled, names = labelled_build(out, config), staging.committed(out)
    edition = Edition.begin(out, _made_of(config, tokenizers, names, out.names(plan.FOLDER)))
    times, errors = _judge(job, runtime, edition, names, monitor)
    written = _write_ledger(labelled, runtime, edition, names, monitor)
    cut = ShardCut.of(sum(written.kept_samples), config.publish.shard_hours)
    fingerprint = tokenizers.fingerprint if tokenizers else None
    rows, audio = config.publish.row_group_rows, config.publish.audio
    worker = partial(
        edition.once, partial(ShardWriter, out, cut, edition.number, fingerprint, rows, audio), ShardWritten
    )
    done = runtime.map(worker, cut.tasks(written.kept_samples))
    entries = [shard.entry for shard in monitor.follow("shards", cut.count, done)]
    new = ShardIndex(
        shards=sorted(entries, key=lambda entry: entry.file),
        row_group_rows=config.publish.row_group_rows,
        tokenizers=tokenizers.describe() if tokenizers else None,
        denoise=config.denoise.model_dump(mode="json") if config.denoise else None,
        software=__version__,
        edition=edition.number,
        ledger=[ledger.file_name(number, edition.number) for number in range(len(written.kept_samples))],
        thresholds={rule.field: rule.threshold for rule in labelled.rules},
    )
    monitor.lock.beat()
    monitor.lock.check()
    edition.switch(new)
    write_config(out, config)
    monitor.journal.enter("")
    timing = Timing(times, read_runs(out))
    summary = summarize(
        written.tally, written.tally.unnamed_speakers + len(written.speakers), new, timing, errors, read_skipped(out)
    )
    out.write_json(SUMMARY, summary.to_json())
    edition.end()
    return summary


def _made_of(
    config: BuildConfig, tokenizers: DualTokenizer | None, names: Sequence[BatchName], plans: Sequence[str]
) -> dict[str, Any]:
    """All that the files of an edition depend on."""
    return {
        "settings": config.model_dump(mode="json", exclude={"engine"}),
        "tokenizers": tokenizers.fingerprint if tokenizers else None,
        "staging": [str(name) for name in names],
        "plan": list(plans),
        "software": __version__,
    }


def _judge(
    job: Job, runtime: Runtime, edition: Edition, names: Sequence[BatchName], monitor: Monitor
) -> tuple[StageTimes, dict[str, ErrorRate]]:
    """Judge all staging files and tokenize what is kept; returns what the files say of the label pass."""
    size = FILES_PER_TASK if job.config.tokenize is None else 1
    tasks = (JudgeTask(names[start : start + size]) for start in range(0, len(names), size))
    times, gpus = StageTimes(), tokenizer_gpus(job.config)
    errors: dict[str, ErrorRate] = {}
    worker = partial(edition.once, partial(BatchJudge, job), BatchesJudged)
    done = runtime.map(worker, tasks, gpus=gpus, guarded=size == 1)
    for part in monitor.follow("judge", -(-len(names) // size), done):
        times.add(part.label_times)
        add_rates(errors, part.label_errors)
        monitor.journal.add_models(part.model_seconds)
    return times, errors


@dataclass(frozen=True)
class LedgerTask:
    """A part of the ledger, with these recordings."""

    recordings: IdRange

    @property
    def name(self) -> str:
        """See `edition.NamedTask`."""
        return f"ledger-{self.recordings.number:06d}"


@dataclass
class Ledger:
    """What the parts of the ledger add up to."""

    kept_samples: list[int]
    """Of each part."""
    tally: LedgerTally = field(default_factory=LedgerTally)
    speakers: Distinct = field(default_factory=Distinct)
    """That the manifest names; the others are no texts, and only counted."""


def _write_ledger(
    labelled: LabelledBuild, runtime: Runtime, edition: Edition, names: Sequence[BatchName], monitor: Monitor
) -> Ledger:
    """Write all parts of the ledger."""
    planned = plan.read_plan(labelled.out)
    tasks = (LedgerTask(part) for part in id_ranges(planned, names))
    worker = partial(edition.once, partial(LedgerWriter, labelled, edition.number), LedgerPartWritten)
    written = Ledger([0] * len(planned.cuts()))
    for part in monitor.follow("ledger", len(written.kept_samples), runtime.map(worker, tasks)):
        written.kept_samples[part.number] = part.kept_samples
        written.tally.add(part.tally)
        written.speakers.add(part.speakers)
    return written


@dataclass(frozen=True)
class LedgerWriter:
    """Writes one part of the ledger, and which utterances its recordings give to the shards."""

    labelled: LabelledBuild
    edition: int

    def __call__(self, task: LedgerTask) -> LedgerPartWritten:
        """Write the part; the result says what its recordings add to the whole."""
        out, number = self.labelled.out, task.recordings.number
        file, tally, speakers = ledger.file_name(number, self.edition), LedgerTally(), Distinct()
        kept = [schemas.KEPT.empty_table()]
        with out.table_writer(f"{ledger.FOLDER}/{file}", schemas.LEDGER, ledger.ROW_GROUP_ROWS) as writer:
            for group in groups(plan.read_plan(out), task.recordings):
                selection = self.labelled.stored(group)
                rows = ledger.ledger_rows(selection)
                writer.add(rows)
                kept.append(places(selection, group))
                tally.add(LedgerTally.of(rows, selection))
                speakers.add(named_speakers(selection))
        table = pa.concat_tables(kept)
        out.write_table(_kept_file(number), table, durable=False)
        samples = int(np.sum(_lengths(table)))
        return LedgerPartWritten(
            number=number, file=file, kept_samples=samples, tally=tally, speakers=speakers.values()
        )


def _kept_file(number: int) -> str:
    """What a part of the ledger gives to the shards: rows of `schemas.KEPT`."""
    return f"{JUDGED_FOLDER}/kept-{number:06d}.parquet"


@dataclass(frozen=True)
class ShardTask:
    """A shard: its number, and the parts of the ledger that it takes from, each with the samples kept before it."""

    shard: int
    parts: Sequence[tuple[int, int]]

    @property
    def name(self) -> str:
        """See `edition.NamedTask`."""
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

    def __call__(self, task: ShardTask) -> ShardWritten:
        """Write the shard."""
        file = shards.file_name(task.shard, self.cut.count, self.edition)
        tally = _Tally()
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
        return ShardWritten(entry=tally.entry(file, writer.bytes, writer.sha256))

    def _rows_of(self, shard: int, number: int, before: int) -> Iterator[pa.Table]:
        """What a part of the ledger gives to the shard, in pieces: it may share its utterances with others."""
        kept = self.out.read_table(_kept_file(number)).replace_schema_metadata()
        mine = filtered(kept, shards.shard_of(_lengths(kept), before, self.cut.samples, self.cut.count) == shard)
        columns = [name for name in shards.PAYLOAD if self.audio or name != "audio"]
        for start, end in pieces(mine["file"].to_pylist(), _lengths(mine)):
            part = mine.slice(start, end - start)
            streams = tokens.streams_of(self.out, part, self.fingerprint) if self.fingerprint else None
            yield shards.shard_rows(part, payload(self.out, part, columns), streams)


@dataclass
class _Tally:
    """Counts what goes into a shard, for its entry in the index."""

    rows: int = 0
    seconds: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        self.seconds += float(np.sum(table["seconds"].to_numpy()))
        for stream in tokens.STREAMS:
            self.tokens[stream] += int(pc.sum(pc.list_value_length(table[stream])).as_py() or 0)
        self.languages.update({row["values"]: row["counts"] for row in pc.value_counts(table["language"]).to_pylist()})

    def entry(self, file: str, size: int, sha256: str) -> ShardEntry:
        counts = {stream: self.tokens[stream] for stream in tokens.STREAMS}
        return ShardEntry(file, self.rows, sha256, self.seconds, counts, size, dict(sorted(self.languages.items())))


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
