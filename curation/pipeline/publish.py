"""The publish pass: judge, tokenize what is kept, write ledger, segments, shards and index.

No ASR or diarization model runs here, so repeating it with other thresholds is cheap. Every step is a map over
idempotent tasks, which are not done again after a kill. The new edition lies beside the old one until the index, which
is written last, names it. A staging file is judged once, by the first step; the others use what it stored, and the
segments read the texts, and the shards the payload of the kept ones only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from curation.core.counts import Distinct
from curation.core.timing import StageTimes
from curation.core.version import __version__
from curation.manifests import ledger, plan, staging
from curation.manifests.error_rates import ErrorRate, add_rates
from curation.manifests.groups import id_ranges
from curation.manifests.index import ShardIndex
from curation.manifests.inputs.skipped import read_skipped
from curation.manifests.marks.files import FOLDER as MARKS
from curation.manifests.runs import read_runs
from curation.manifests.segments.table import SegmentTable
from curation.manifests.staging import BatchName
from curation.manifests.summary import FILE as SUMMARY
from curation.manifests.summary import LedgerTally, Summary, Timing, summarize
from curation.pipeline.assemble import declared_scores, tokenizer_gpus
from curation.pipeline.config import BuildConfig
from curation.pipeline.edition import Edition, Once
from curation.pipeline.encode import BatchJudge, JudgeTask
from curation.pipeline.job import BatchesJudged, Job, LedgerPartWritten, Runtime, ShardWritten
from curation.pipeline.monitor import Monitor
from curation.pipeline.provenance import labelled_build, write_config
from curation.pipeline.writers import LedgerTask, LedgerWriter, ShardCut, ShardWriter
from curation.tokenize.pair import DualTokenizer, load_tokenizers

FILES_PER_TASK = 256
"""Staging files that are judged by one task where nothing is tokenized."""


def publish(job: Job, runtime: Runtime, monitor: Monitor) -> Summary:
    """Publish a new edition; returns its summary, which is written too."""
    out, config = job.out, job.config
    tokenizers = load_tokenizers(config.tokenize, device="cpu")  # for their fingerprints; no GPU is needed here
    names = staging.committed(out)
    edition = Edition.begin(out, _made_of(config, tokenizers, names, out.names(plan.FOLDER), out.names(MARKS)))
    labelled = labelled_build(out, config, edition.number)
    table = SegmentTable(declared_scores(), labelled.rules)
    times, errors = _judge(job, runtime, edition, names, monitor)
    written = _write_ledger(partial(LedgerWriter, labelled, table), runtime, edition, names, monitor)
    parts = [ledger.file_name(number, edition.number) for number in range(len(written.kept_samples))]
    cut = ShardCut.of(sum(written.kept_samples), config.publish.shard_hours)
    fingerprint = tokenizers.fingerprint if tokenizers else None
    rows, audio = config.publish.row_group_rows, config.publish.audio
    worker = partial(
        Once, edition, partial(ShardWriter, out, cut, edition.number, fingerprint, rows, audio), ShardWritten
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
        ledger=parts,
        segments=parts,
        rules=table.described_rules(),
        thresholds={rule.field: rule.threshold for rule in labelled.rules},
    )
    monitor.lock.fence()
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
    config: BuildConfig,
    tokenizers: DualTokenizer | None,
    names: Sequence[BatchName],
    plans: Sequence[str],
    marks_there: Sequence[str],
) -> dict[str, Any]:
    """All that the files of an edition depend on."""
    return {
        "settings": config.model_dump(mode="json", exclude={"engine"}),
        "tokenizers": tokenizers.fingerprint if tokenizers else None,
        "staging": [str(name) for name in names],
        "plan": [name for name in plans if name.endswith(".json")],
        "marks": marks_there,
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
    worker = partial(Once, edition, partial(BatchJudge, job, edition.number), BatchesJudged)
    done = runtime.map(worker, tasks, gpus=gpus, guarded=size == 1)
    for part in monitor.follow("judge", -(-len(names) // size), done):
        times.add(part.label_times)
        add_rates(errors, part.label_errors)
        monitor.journal.add_models(part.model_seconds)
    return times, errors


@dataclass
class Ledger:
    """What the parts of the ledger add up to."""

    kept_samples: list[int]
    """Of each part."""
    tally: LedgerTally = field(default_factory=LedgerTally)
    speakers: Distinct = field(default_factory=Distinct)
    """That the manifest names; the others are no texts, and only counted."""


def _write_ledger(
    make_writer: Callable[[], LedgerWriter],
    runtime: Runtime,
    edition: Edition,
    names: Sequence[BatchName],
    monitor: Monitor,
) -> Ledger:
    """Write all parts of the ledger."""
    planned = plan.read_plan(edition.out)
    tasks = (LedgerTask(part) for part in id_ranges(planned, names))
    worker = partial(Once, edition, make_writer, LedgerPartWritten)
    written = Ledger([0] * len(planned.cuts()))
    for part in monitor.follow("ledger", len(written.kept_samples), runtime.map(worker, tasks)):
        written.kept_samples[part.number] = part.kept_samples
        written.tally.add(part.tally)
        written.speakers.add(part.speakers)
    return written
