"""The publish pass: select by verdict, tokenize what is kept, write ledger, shards and index.

No ASR or diarization model runs here, so it can be repeated with other thresholds at little cost. Every step is a map
over tasks that are safe to repeat; the index is written last, and a build without it is not finished.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import __version__
from curation.audio.wave import SAMPLE_RATE
from curation.manifests import ledger, schemas, shards
from curation.manifests.plan import Plan
from curation.manifests.selection import LIGHT_SEGMENT_COLUMNS, Run, Selection, filtered, ordered_runs, select
from curation.manifests.staging import BatchName, committed
from curation.manifests.verdicts import Rule
from curation.pipeline.encode import TokenizeWorker
from curation.pipeline.label import Job, Report
from curation.pipeline.rules import rules_of
from curation.tokenize.pair import load_tokenizers

RUNS_PER_LEDGER_PART = 256


class Runtime(Protocol):
    """What publishing needs of an engine."""

    def map(
        self, make_worker: Callable[[], Callable[[str], Report]], tasks: Iterable[str], *, gpu: bool = False
    ) -> Iterator[Report]:
        """Give each task to a worker, with a GPU (`engine.worker_gpus`) if asked; reports come in any order."""
        ...


@dataclass(frozen=True)
class Catalog:
    """The staging files by unit, and how to select from them."""

    job: Job
    files: dict[int, list[BatchName]]
    fingerprint: str | None
    rules: list[Rule] = field(default_factory=list)

    def select(self, run: Run, columns: list[str] | None = None) -> Selection:
        """Spans and judged segments of a run; `columns` of the segments, or all."""
        return select(
            self.job.out,
            run,
            self.files[run.unit],
            self.rules,
            fingerprint=self.fingerprint,
            speaker_threshold=self.job.config.publish.speaker_join_threshold,
            columns=columns,
        )


OnStep = Callable[[str, Report, int], None]
"""Called as (step, report of a finished task, tasks in all)."""


@dataclass(frozen=True, slots=True)
class Published:
    """The index of the shards, and the time that labelling took by stage and by model."""

    index: dict[str, Any]
    timing: dict[str, Any]


def publish(job: Job, runtime: Runtime, plan: Plan, on_step: OnStep) -> Published:
    """Run the pass. `on_step` hears of every finished task, for the progress on screen."""
    out = job.out
    out.remove(shards.INDEX)
    files = {unit: list(names) for unit, names in itertools.groupby(committed(out), key=lambda name: name.unit)}
    tokenizers = load_tokenizers(job.config.tokenize, device="cpu")  # to know them; no GPU is needed where this runs
    fingerprint = tokenizers.fingerprint if tokenizers else None
    if fingerprint is not None:
        names = [str(name) for names in files.values() for name in names]
        gpu = job.config.tokenize is not None and job.config.tokenize.device == "cuda"
        for report in runtime.map(partial(TokenizeWorker, job), names, gpu=gpu):
            on_step("tokenize", report, len(names))
    catalog = Catalog(job, files, fingerprint, rules_of(job.config))
    runs = list(ordered_runs(plan))
    kept, timing = _write_ledger(catalog, runtime, runs, on_step)
    entries = _write_shards(catalog, runtime, runs, kept, on_step)
    index = {
        "format": shards.FORMAT_VERSION,
        "software": __version__,
        "tokenizers": tokenizers.describe() if tokenizers else None,
        "denoise": job.config.denoise.model_dump(mode="json") if job.config.denoise else None,
        "row_group_rows": job.config.publish.row_group_rows,
        "shards": entries,
        "rows": sum(entry["rows"] for entry in entries),
        "seconds": sum(entry["seconds"] for entry in entries),
    }
    out.write_json(shards.INDEX, index)
    return Published(index, timing)


def _write_ledger(
    catalog: Catalog, runtime: Runtime, runs: list[Run], on_step: OnStep
) -> tuple[list[int], dict[str, Any]]:
    """Write all parts of the ledger; returns the samples that each run keeps, and the time of the label pass."""
    starts = range(0, len(runs), RUNS_PER_LEDGER_PART)
    tasks = [_encode(start, runs[start : start + RUNS_PER_LEDGER_PART]) for start in starts]
    kept = [0] * len(runs)
    units: dict[int, dict[str, Any]] = {}
    for report in runtime.map(partial(LedgerWorker, catalog), tasks):
        start = report.timing["start"]
        kept[start : start + len(report.timing["kept"])] = report.timing["kept"]
        units.update(report.timing["units"])
        on_step("ledger", report, len(tasks))
    _remove_others(catalog, ledger.FOLDER, {_ledger_name(start) for start in starts})
    return kept, add_timings(units.values())


@dataclass
class LedgerWorker:
    """Writes one part of the ledger; the report says how many samples each of its runs keeps."""

    catalog: Catalog

    def __call__(self, task: str) -> Report:
        """Write the part that `task` (from `_encode`) describes."""
        start, runs = _decode(task)
        kept, parts, units = [], [], {}
        for run in runs:
            selection = self.catalog.select(run, LIGHT_SEGMENT_COLUMNS)
            parts.append(ledger.ledger_rows(selection))
            chosen = selection.kept
            kept.append(int(np.sum(chosen["end"].to_numpy() - chosen["start"].to_numpy())))
            units[run.unit] = add_timings(selection.timings)
        table = pa.concat_tables(parts)
        self.catalog.job.out.write_table(f"{ledger.FOLDER}/{_ledger_name(start)}", table)
        return Report(task=_ledger_name(start), timing={"start": start, "kept": kept, "units": units})


def add_timings(timings: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Seconds by stage and by model added up, and the highest peak of memory."""
    total: dict[str, Any] = {"stages": Counter(), "models": Counter(), "peak_bytes": 0}
    for timing in timings:
        total["stages"].update(timing["stages"])
        total["models"].update(timing["models"])
        total["peak_bytes"] = max(total["peak_bytes"], timing["peak_bytes"])
    return {**total, "stages": dict(total["stages"]), "models": dict(total["models"])}


def _write_shards(
    catalog: Catalog, runtime: Runtime, runs: list[Run], kept: list[int], on_step: OnStep
) -> list[dict[str, Any]]:
    total = sum(kept)
    count = max(1, math.ceil(total / (catalog.job.config.publish.shard_hours * 3600 * SAMPLE_RATE)))
    before = np.r_[0, np.cumsum(kept)]
    tasks = []
    for shard in range(count):
        low, high = total * shard / count, total * (shard + 1) / count
        first, last = np.searchsorted(before, low, "right") - 1, np.searchsorted(before, high, "left")
        mine = [i for i in range(int(first), min(int(last), len(runs))) if kept[i]]
        tasks.append(
            json.dumps(
                {
                    "shard": shard,
                    "count": count,
                    "total": total,
                    "runs": [[runs[i].unit, runs[i].ids, int(before[i])] for i in mine],
                }
            )
        )
    entries: dict[str, dict[str, Any]] = {}
    for report in runtime.map(partial(ShardWorker, catalog), tasks):
        entries[report.task] = report.timing
        on_step("shards", report, len(tasks))
    _remove_others(catalog, shards.FOLDER, {name.split("/")[1] for name in entries})
    return [entries[name] for name in sorted(entries)]


@dataclass
class ShardWorker:
    """Writes one shard."""

    catalog: Catalog

    def __call__(self, task: str) -> Report:
        """Write the shard that `task` describes: its number, and the runs that it takes from."""
        spec = json.loads(task)
        shard, count = spec["shard"], spec["count"]
        config = self.catalog.job.config.publish
        name = shards.file_name(shard, count)
        tally = _Tally(name)
        schema = schemas.SHARDS.with_metadata(self._metadata())
        with self.catalog.job.out.table_writer(name, schema, config.row_group_rows) as writer:
            for rows in _ahead(lambda run: self._rows_of(run, spec), spec["runs"]):
                writer.add(rows)
                tally.add(rows)
        return Report(task=name, timing=tally.entry(writer.bytes, writer.sha256))

    def _rows_of(self, run: Sequence[Any], spec: dict[str, Any]) -> pa.Table:
        """What a run gives to the shard; it may share its utterances with the shards beside."""
        unit, ids, before = run
        audio = self.catalog.job.config.publish.audio
        columns = [name for name in schemas.SEGMENT.names if audio or name != "audio"]
        selection = self.catalog.select(Run(unit, tuple(ids) if ids is not None else None), columns)
        kept = selection.kept
        lengths = kept["end"].to_numpy() - kept["start"].to_numpy()
        mine = shards.shard_of(lengths, before, spec["total"], spec["count"]) == spec["shard"]
        return filtered(shards.shard_rows(selection, audio=audio), mine)

    def _metadata(self) -> dict[str, str]:
        return {
            "curation.format": shards.FORMAT_VERSION,
            "curation.version": __version__,
            "curation.tokenizers": self.catalog.fingerprint or "",
        }


@dataclass
class _Tally:
    """Counts what goes into a shard, for its entry in the index."""

    name: str
    rows: int = 0
    seconds: float = 0.0
    tokens: Counter[str] = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        self.seconds += float(np.sum(table["seconds"].to_numpy()))
        for stream in ("glm", "semantic", "global"):
            self.tokens[stream] += int(pc.sum(pc.list_value_length(table[stream])).as_py() or 0)

    def entry(self, size: int, sha256: str) -> dict[str, Any]:
        return {
            "file": self.name.split("/")[1],
            "rows": self.rows,
            "seconds": self.seconds,
            "tokens": {stream: self.tokens[stream] for stream in ("glm", "semantic", "global")},
            "bytes": size,
            "sha256": sha256,
        }


def _ahead(work: Callable[[Any], pa.Table], items: Sequence[Any]) -> Iterator[pa.Table]:
    """The results in order, each worked on while the one before it is used: reading and writing overlap."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for item in items:
            waiting, ready = pool.submit(work, item), waiting
            if ready is not None:
                yield ready.result()
        if waiting is not None:
            yield waiting.result()


def _ledger_name(start: int) -> str:
    return f"part-{start // RUNS_PER_LEDGER_PART:06d}.parquet"


def _encode(start: int, runs: list[Run]) -> str:
    return json.dumps({"start": start, "runs": [[run.unit, run.ids] for run in runs]})


def _decode(task: str) -> tuple[int, list[Run]]:
    spec = json.loads(task)
    return spec["start"], [Run(unit, tuple(ids) if ids is not None else None) for unit, ids in spec["runs"]]


def _remove_others(catalog: Catalog, folder: str, current: set[str]) -> None:
    """Delete what an earlier publish pass left there."""
    for name in catalog.job.out.names(folder):
        if name.endswith(".parquet") and name not in current:
            catalog.job.out.remove(f"{folder}/{name}")
