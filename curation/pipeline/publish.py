"""The publish pass: judge, tokenize what is kept, write ledger, segments, shards and index.

No ASR or diarization model runs here, so repeating it with other thresholds is cheap. Recordings that were labelled
since the corpus was published are added to it: only they are judged and written, and the files that are there stay.
With other thresholds, tokenizers or marks all files are written anew.

Every step is a map over idempotent tasks; those that a killed pass has done are left out where they are listed. What is
new lies beside the old until the index, which is written last, names it. A staging file is judged once, by the first
step; the others use what it stored, and the segments read the texts, and the shards the payload of the kept ones only.
"""

import hashlib
import heapq
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from curation.core.storage import Storage
from curation.core.version import __version__
from curation.manifests import plan, schemas, staging
from curation.manifests.duplicates.exact import Contents
from curation.manifests.duplicates.near import Groups
from curation.manifests.duplicates.twins import Twin, by_range, put_twins
from curation.manifests.groups import files_of, id_ranges
from curation.manifests.history.labelling import Labelling, read_labelling, write_labelling
from curation.manifests.index import Kind, ShardEntry, ShardIndex
from curation.manifests.marks.files import FOLDER as MARKS
from curation.manifests.segments.table import SegmentTable
from curation.manifests.splits.mixture import write_mixture
from curation.manifests.splits.places import division
from curation.manifests.staging import BatchName
from curation.manifests.summary import Summary, summarize, write_summary
from curation.manifests.voices.names import VoiceNames, warn_of_unnamed
from curation.pipeline.assemble import segment_table, tokenizer_gpus
from curation.pipeline.edition import Edition
from curation.pipeline.encode import BatchJudge, JudgeTask
from curation.pipeline.job import (
    BatchesJudged,
    FileRewritten,
    Job,
    LedgerPartWritten,
    Result,
    Runtime,
    ShardWritten,
    Task,
)
from curation.pipeline.monitor import Monitor
from curation.pipeline.provenance import labelled_build, read_config, write_config
from curation.pipeline.readme.card import write_card
from curation.pipeline.without import Without, rest, rewrite_tasks
from curation.pipeline.writers import LedgerTask, LedgerWriter, ShardCut, ShardWriter, twins_file
from curation.tokenize.pair import described

log = logging.getLogger(__name__)

FILES_PER_TASK = 256
"""Staging files that are judged by one task where nothing is tokenized."""


def publish(job: Job, runtime: Runtime, monitor: Monitor, *, compact: bool = False) -> Summary:
    """Publish what is labelled; returns the summary of the corpus, which is written too.

    `compact`: write all files anew, whatever is published.
    """
    out, config, planned, names = job.out, job.config, plan.read_plan(job.out), staging.committed(job.out)
    labelled, tokenizers = labelled_build(out, config), described(config.tokenize)
    table, splits = segment_table(config), division(out, planned, config.publish.split)
    voices = VoiceNames.read(out, planned)
    calibration = labelled.recalibration.name if labelled.recalibration else ""
    made = _made(job, tokenizers, table, calibration)
    source = [__version__, [*map(str, names)], splits.fingerprint if splits else "", voices.fingerprint]
    edition = Edition.open(out, planned, made, source, splits, compact=compact)
    standing = edition.standing
    if edition.is_published:
        monitor.lock.fence()
        return _finished(job, edition, standing.index, monitor)
    work = Work(job, runtime, edition, monitor, planned)
    mine = files_of(planned, names, standing.since)
    writer = partial(LedgerWriter, replace(labelled, edition=edition.number), table, splits, voices)
    with Contents(planned) as contents:
        labelling = work.judge(mine, contents)
        written = work.write_ledger(writer, mine, contents)
    fingerprint = tokenizers["fingerprint"] if tokenizers else None
    shards, left = work.write_shards(written, fingerprint, calibration), work.rewrite()
    parts = [part.file for part in written]
    new = ShardIndex(
        shards=[*left.shards, *shards],
        row_group_rows=config.publish.row_group_rows,
        tokenizers=tokenizers,
        denoise=config.denoise.model_dump(mode="json") if config.denoise else None,
        cuts=config.diarize.cuts,
        software=__version__,
        edition=edition.number,
        ledger=[*left.ledger, *parts],
        segments=[*left.segments, *parts],
        rules=table.described_rules(),
        thresholds={rule.field: rule.threshold for rule in labelled.rules},
        split=config.publish.split.model_dump(mode="json") if config.publish.split else None,
        tiers=[*config.publish.tiers],
        sha256=left.sha256 | {file: value for part in written for file, value in part.sha256.items()},
        made=made,
        planned=len(planned.generations),
    )
    monitor.lock.fence()
    write_labelling(out, edition.number, labelling)
    kind: Kind = "append" if standing.stands else "compact" if compact else "build"
    new = edition.switch(new, kind, rewrites=not standing.stands or left.shards != standing.index.shards)
    return _finished(job, edition, new, monitor)


def _made(job: Job, tokenizers: Mapping[str, Any] | None, table: SegmentTable, calibration: str) -> str:
    """A hash of all that decides what is published of a recording, and in which columns."""
    groups = Groups.read(job.out) if job.config.dedup.near == "reject" else None
    decides = {
        "settings": job.config.model_dump(mode="json", exclude={"engine", "inputs"}),
        "tokenizers": tokenizers["fingerprint"] if tokenizers else None,
        "marks": job.out.names(MARKS),
        "calibration": calibration,
        "near": groups.fingerprint if groups else "",
        "columns": [str(schema) for schema in (schemas.SHARDS, schemas.LEDGER, table.schema)],
        "rules": table.described_rules(),
        "tiers": [*job.config.publish.tiers],
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _finished(job: Job, edition: Edition, current: ShardIndex, monitor: Monitor) -> Summary:
    """Write what follows from the index, and end the pass. Repeated after a kill, it changes nothing more."""
    write_config(job.out, job.config)
    monitor.journal.enter("")
    warn_of_unnamed(job.out, current)
    summary = account(job.out, current)
    edition.end(current)
    return summary


def account(out: Storage, current: ShardIndex) -> Summary:
    """Write summary, mixture and card of a corpus, as its files add up."""
    summary, mixture = summarize(out, current)
    write_summary(out, summary)
    write_mixture(out, mixture)
    write_card(out, summary, current, read_config(out))
    return summary


@dataclass(frozen=True)
class Work:
    """The steps of a pass."""

    job: Job
    runtime: Runtime
    edition: Edition
    monitor: Monitor
    planned: plan.Plan

    def judge(self, names: Sequence[BatchName], contents: Contents) -> Labelling:
        """Judge staging files and tokenize what is kept; returns what all published ones say of the label pass.

        What the files say of the samples of recordings is added to `contents`, where duplicates are looked for.
        """
        job, standing = self.job, self.edition.standing
        size = FILES_PER_TASK if job.config.tokenize is None else 1
        new = plan.Plan(job.out, self.planned.generations[: standing.since]).num_units
        tasks = [JudgeTask(names[start : start + size], new) for start in range(0, len(names), size)]
        labelling = read_labelling(job.out, standing.index.edition) if standing.since else Labelling()
        worker, gpus = partial(BatchJudge, job, self.edition.number), tokenizer_gpus(job.config)
        done = self._each(tasks, BatchesJudged, worker, gpus=gpus, guarded=size == 1)
        for part in self.monitor.follow("judge", len(tasks), done):
            labelling.add(part.label_times, part.label_errors)
            if job.config.dedup.exact:
                contents.add(part.contents)
            self.monitor.journal.add_models(part.model_seconds)
        return labelling

    def write_ledger(
        self, make_writer: Callable[[], LedgerWriter], names: Sequence[BatchName], contents: Contents
    ) -> list[LedgerPartWritten]:
        """Write the new parts of ledger and segments, in which each content counts once; returns them in order."""
        ranges = id_ranges(self.planned, names, self.edition.standing.since)
        tasks = [
            LedgerTask(part, has_twins=put_twins(self.job.out, twins_file(self.edition.number, part.number), mine))
            for part, mine in by_range(ranges, self._twins(contents))
        ]
        done = self._each(tasks, LedgerPartWritten, make_writer)
        return sorted(self.monitor.follow("ledger", len(tasks), done), key=lambda part: part.number)

    def _twins(self, contents: Contents) -> Iterator[Twin]:
        """What does not count, sorted by recording."""
        config, found = self.job.config.dedup, list[Iterator[Twin]]()
        if config.exact:
            standing = self.edition.standing
            contents.add_published(self.job.out, standing.index.ledger, standing.replaced)
            found.append(contents.duplicates())
        if config.near == "reject":
            groups = Groups.read(self.job.out)
            if groups is None or groups.planned < len(self.planned.generations):
                log.warning("dedup.near: recordings that `curation dedup` has not compared yet are kept")
            found += [groups.twins()] if groups else []
        return heapq.merge(*found)

    def write_shards(
        self, parts: Sequence[LedgerPartWritten], fingerprint: str | None, calibration: str
    ) -> list[ShardEntry]:
        """Write the shards of the kept utterances of new parts; returns them in order."""
        config, samples = self.job.config.publish, sum(part.kept_samples for part in parts)
        if not samples and self.edition.standing.stands:
            return []
        cut = ShardCut.of(samples, config.shard_hours)
        settings = cut, self.edition.number, fingerprint, config.row_group_rows, config.audio, calibration
        tasks = cut.tasks([part.kept_samples for part in parts])
        done = self._each(tasks, ShardWritten, partial(ShardWriter, self.job.out, *settings))
        entries = [shard.entry for shard in self.monitor.follow("shards", cut.count, done)]
        return sorted(entries, key=lambda entry: entry.file)

    def rewrite(self) -> ShardIndex:
        """The files that stay of the corpus, without the recordings that were labelled again, and with the splits that
        others of them are in now.
        """
        standing = self.edition.standing
        old, gone, moved = standing.index, standing.replaced, standing.moved
        if not gone and not moved:
            return old
        tasks, settings = rewrite_tasks(old), (self.edition.number, gone, old.row_group_rows, moved)
        done = self._each(tasks, FileRewritten, partial(Without, self.job.out, *settings))
        return rest(old, self.monitor.follow("rewrite", len(tasks), done))

    def _each(
        self,
        tasks: Iterable[Task],
        kind: type[Result],
        make_worker: Callable[[], Callable[[Task], Result]],
        *,
        gpus: float = 0.0,
        guarded: bool = False,
    ) -> Iterator[Result]:
        """A result for each task; workers are given those that a killed pass has not done."""
        work = partial(self.runtime.map, make_worker, gpus=gpus, guarded=guarded)
        return self.edition.each(tasks, kind, work)
