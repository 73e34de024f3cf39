"""A complete build: plan, label, publish, account.

    from curation import build, load_config

    summary = build(load_config(), ["recordings/"], "corpus")

The same call resumes an interrupted build; with other inputs it appends them; with other thresholds it only publishes.
"""

import heapq
import itertools
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.manifests import index
from curation.manifests.columns.rights import require_licence
from curation.manifests.history.failures import failed_recordings
from curation.manifests.index import ShardIndex
from curation.manifests.inputs.argument import Input
from curation.manifests.inputs.changes import listed, to_label
from curation.manifests.inputs.ids import write_roots
from curation.manifests.inputs.listing import id_of
from curation.manifests.inputs.skipped import record_skipped, skip
from curation.manifests.inputs.spill import joined
from curation.manifests.plan import Plan, Todo, extend_plan, read_plan
from curation.manifests.removals.receipts import check_no_intent
from curation.manifests.removals.tombstones import REASON, Tombstones
from curation.manifests.runs import PoolTimes, read_runs
from curation.manifests.staging import committed
from curation.manifests.summary import Summary
from curation.pipeline.assemble import build_stages, segment_table, worker_needs
from curation.pipeline.config import BuildConfig
from curation.pipeline.edition import before_labelling
from curation.pipeline.guard.breaker import Breaker
from curation.pipeline.guard.lock import Lock, held
from curation.pipeline.guard.quarantine import clear_notes
from curation.pipeline.job import Job, MakeStages, OnProgress, Runtime
from curation.pipeline.journal import Journal
from curation.pipeline.metrics import served
from curation.pipeline.monitor import Monitor
from curation.pipeline.provenance import (
    check_label_settings,
    pinned,
    read_config,
    tell_changes,
    with_its_split,
    write_config,
)
from curation.pipeline.publish import publish
from curation.pipeline.runtime.local import LocalRuntime
from curation.pipeline.workers.units import Sizes
from curation.stages.decode.split import by_channel

log = logging.getLogger(__name__)


def build(  # noqa: PLR0913 - the options of the command
    config: BuildConfig | Callable[[], BuildConfig],
    inputs: Sequence[str],
    output: str,
    *,
    retry_failed: bool = False,
    on_progress: OnProgress = lambda _: None,
    make_stages: MakeStages = build_stages,
    wait_seconds: float = 0.0,
    force_unlock: bool = False,
    metrics: str | None = None,
    compact: bool = False,
) -> Summary:
    """Build a corpus: label what is not labelled yet, publish, and account for every second, as in `summary.json`.

    ```python
    from curation import Progress, build, load_config
    def show(progress: Progress) -> None:
        print(f"{progress.step}: {progress.done} of {progress.total}")

    config = load_config("corpus.yaml", overrides=["engine.runtime=in-process"])
    summary = build(config, ["recordings/"], "corpus", on_progress=show)
    print(f"{summary.kept_seconds:.0f} s of {summary.seconds:.0f} s kept")
    ```

    Args:
        config: what `load_config` gives, or a function that is asked for it once no other build uses the output.
        inputs: files, folders, globs, manifests (.jsonl, .json, .csv, .tsv, .parquet), or fsspec URLs of these; none
            to finish or publish again the recordings that the build knows already.
        output: folder or fsspec URL of the build.
        retry_failed: label recordings again in which something failed.
        on_progress: called in this process at the start of each step and after each finished task.
        make_stages: another function adds stages of your own to the build; with Ray, workers must be able to import it.
        wait_seconds: how long to wait while another build uses the output.
        force_unlock: take the output from another build, which then ends itself at its next step.
        metrics: `[HOST:]PORT` at which live figures are served for Prometheus; without HOST, for this machine only.
        compact: publish all recordings anew, as one generation.

    Raises:
        UserError: for everything that the user can fix, with the remedy: ConfigError before any work, ModelError for
            missing models, LockError where another build has the output, DataError for damaged files of the build.
    """
    out, run = Storage(output), uuid.uuid4().hex
    with served(metrics) as figures, held(out, run, wait_seconds=wait_seconds, force=force_unlock) as lock:
        out.abort_uploads()
        config = pinned(out, with_its_split(out, config() if callable(config) else config))
        plan = _plan(out, config, inputs, lock, retry_failed=retry_failed)
        job = Job(config, output, run, make_stages, plan.batch_seconds)
        clear_notes(out)
        tell_changes(out, config)
        if not out.exists(index.FILE):  # else the file describes the corpus that is there, until the next one is
            write_config(out, config)
        runtime_here: AbstractContextManager[Runtime] = nullcontext(LocalRuntime())
        if config.engine.runtime == "ray":
            from curation.pipeline.runtime.ray import RayRuntime  # Ray takes seconds to import

            runtime_here = RayRuntime(config.engine, worker_needs(config, job.batch_seconds), out)
        with runtime_here as runtime:
            figures.pool_times, figures.pool_loads = runtime.pool_times, runtime.pool_loads
            journal = Journal.begin(out, run, runtime.num_cpus, runtime.pool_times)
            monitor = Monitor(lock, journal, on_progress, figures)
            waiting, done = unfinished_units(out, plan)
            before_labelling(out, plan, waiting)
            if waiting:
                journal.enter("label")
                breaker = Breaker(config.engine.max_error_fraction)
                for batch in monitor.follow("label", len(waiting), runtime.label(job, plan.units(waiting), done)):
                    breaker.add(batch.errors)
            journal.enter("publish")
            summary = publish(job, runtime, monitor, compact=compact)
        lock.fence()
        clear_notes(out)
        return summary


def _plan(out: Storage, config: BuildConfig, inputs: Sequence[str], lock: Lock, *, retry_failed: bool) -> Plan:
    """The plan of the build, extended by new inputs and by recordings to retry."""
    check_no_intent(out)
    segment_table(config)  # for what is wrong with its tiers
    plan = read_plan(out)
    check_label_settings(out, config, is_new=not plan.generations)
    files, listing = listed(out, inputs, plan.sources, config.inputs.allow)
    found = files if config.decode.channels == "mix" else by_channel(files, config.decode)
    buried = partial(skip, next(iter(listing.skipped.values()), {}), REASON, "")
    todo = to_label(found, plan.sources(), listing.roots, Tombstones.read(out), buried)
    if config.inputs.require_licence:
        require_licence((item.where, item.source) for item in found)
        require_licence((source.path, source) for source in plan.sources())
    corpus = _to_retry(out, plan) if retry_failed else None
    again = _failed(out, corpus, plan, found, todo) if corpus else iter(())
    if not plan.generations and not todo:
        msg = f"{out.root} holds no build yet: give inputs"
        raise ConfigError(msg)
    lock.fence()  # listing takes half an hour for millions of files
    write_roots(out, listing.roots)
    record_skipped(out, listing.skipped)
    failed = sum(1 for _ in failed_recordings(out, corpus)) if corpus else 0
    sizes = Sizes.of(config, len(todo) + failed)
    return extend_plan(
        out,
        plan,
        heapq.merge((Todo(item.source, item.size) for item in todo), again, key=lambda item: item.source.id),
        unit_files=sizes.unit_files,
        unit_bytes=sizes.unit_bytes,
        batch_seconds=sizes.batch_seconds,
        retried_edition=corpus.edition if corpus else 0,
    )


def _to_retry(out: Storage, plan: Plan) -> ShardIndex | None:
    """The corpus of which to retry what failed; None where that is planned again already."""
    if not out.exists(index.FILE):
        return None
    corpus = index.read_index(out)
    if plan.retried_edition >= corpus.edition:
        log.warning("what failed in edition %d is planned again already: this run goes on with it", corpus.edition)
        return None
    return corpus


def _failed(
    out: Storage, corpus: ShardIndex, plan: Plan, found: Iterable[Input], todo: Iterable[Input]
) -> Iterator[Todo]:
    """What failed in a corpus and is not to be labelled anyway; of one that was moved, at the new place."""
    failed = joined(failed_recordings(out, corpus), plan.sources(), lambda item: item.id, lambda source: source.id)
    placed = joined(failed, found, lambda pair: pair[0].id, id_of)
    for ((item, old), now), anyway in joined(placed, todo, lambda pair: pair[0][0].id, id_of):
        if old is not None and anyway is None:
            path = now.source.path if now else old.path
            yield Todo(replace(old, path=path, version=item.version), stretches=item.stretches)


def unfinished_units(out: Storage, plan: Plan) -> tuple[list[int], dict[int, set[int]]]:
    """Units that still have batches to do, and for those that were begun the batches that are committed."""
    whole: set[int] = set()
    done: dict[int, set[int]] = {}
    for unit, names in itertools.groupby(committed(out), key=lambda name: name.unit):
        batches = list(names)
        found = {name.batch for name in batches}
        # Two decodes of a file that was changed or broken meanwhile may each have left a last batch: one has to be
        # whole.
        if any(found.issuperset(range(name.batch)) for name in batches if name.last):
            whole.add(unit)
        else:
            done[unit] = found
    return [unit for unit in range(plan.num_units) if unit not in whole], done


def labelled_config(out: Storage) -> BuildConfig:
    """The settings of a build of which everything is labelled, for what only publishes it again. Raises ConfigError
    where recordings are not labelled yet: models would run.
    """
    config = read_config(out)
    if unfinished_units(out, read_plan(out))[0]:
        msg = f"{out.root}: recordings are not labelled yet: finish that first, with `curation build -o {out.root}`"
        raise ConfigError(msg)
    return config


@dataclass(slots=True)
class BuildState:
    """The progress of a build, from its files."""

    units: int
    units_done: int
    batches_done: int
    phase: str
    """The pass that the latest run is in, or was in when it ended; `done`; or empty where nothing was started."""
    idle_seconds: float
    """Since the latest run's last heartbeat."""
    published: bool
    pools: dict[str, PoolTimes] = field(default_factory=dict)
    """Of the latest run that labelled, by name."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def build_state(out: Storage) -> BuildState:
    """State of a build, running or stopped."""
    plan = read_plan(out)
    waiting, _ = unfinished_units(out, plan)
    runs = read_runs(out)
    return BuildState(
        units=plan.num_units,
        units_done=plan.num_units - len(waiting),
        batches_done=len(committed(out)),
        phase=(runs[-1].current_pass or "done") if runs else "",
        idle_seconds=time.time() - runs[-1].updated if runs else 0.0,
        published=out.exists(index.FILE),
        pools=next((run.pools for run in reversed(runs) if run.pools), {}),
    )
