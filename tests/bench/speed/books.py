"""How the books of a build grow with the number of recordings: time and peak memory of the driver and of each worker.

    python -m tests.bench.speed.books                             # 100,000 recordings
    python -m tests.bench.speed.books --sizes 1000000 --keep DIR
    python -m tests.bench.speed.books --sizes 3000000 --planning  # lists, plans, and lists again; no staging files

The inputs are rows of a Parquet manifest in parts, which name objects of a store that is never asked. They are listed
and planned; staging files are made without models, by changing the ids in one that `commit` wrote (not counted); then
the same command goes on: it lists and compares all inputs again, judges, and writes ledger, shards and summary, with
Ray, without tokenizers. Every step is a process of its own; memory is what a process has for itself, without the pages
of Ray's object store.
"""

import argparse
import itertools
import json
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.plan import Unit, read_plan
from curation.manifests.records import Recording
from curation.manifests.staging import BatchName, commit, segment_id
from curation.pipeline.config import BuildConfig, load_config
from curation.pipeline.guard.watchdog import private_bytes
from curation.pipeline.job import Progress
from curation.pipeline.run import build
from tests.bench.speed.bookkeeping import STRIDE, synthetic_segment

ROWS_PER_PART = 100_000
RECORDINGS_PER_SPEAKER = 20
SEGMENTS = 2
BUCKET = "s3://books"
GIB = 2**30
UNIT_FILES = 64


class PlannedError(Exception):
    """The label pass begins: what was to be measured is done."""


def config(folder: Path) -> BuildConfig:
    """The offline preset without tokenizers."""
    overrides = ["tokenize=null", f"engine.unit_files={UNIT_FILES}", f"inputs.allow=[{BUCKET}/, {folder}/]"]
    return load_config(overrides=overrides)


def write_manifest(folder: Path, size: int) -> None:
    """A Parquet manifest in parts."""
    (folder / "inputs.parquet").mkdir(parents=True)
    for part, start in enumerate(range(0, size, ROWS_PER_PART)):
        numbers = range(start, min(size, start + ROWS_PER_PART))
        table = pa.table(
            {
                "path": [f"{BUCKET}/{number // 1000:06d}/{number:09d}.flac" for number in numbers],
                "language": ["en"] * len(numbers),
                "speaker": [f"speaker {number // RECORDINGS_PER_SPEAKER}" for number in numbers],
                "year": [1900 + number % 100 for number in numbers],
            }
        )
        pq.write_table(table, folder / f"inputs.parquet/part-{part:05d}.parquet")


def cpu() -> float:
    """Seconds of CPU of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def report(**values: float) -> None:
    """A line for the process that measures."""
    print(json.dumps(values), flush=True)


def plan_step(folder: Path) -> None:
    """List the inputs, and plan what is new; the label pass is not begun."""
    start, before = time.perf_counter(), cpu()

    def stop(_: Progress) -> None:
        raise PlannedError

    settings = config(folder).model_copy(deep=True)
    settings = settings.model_copy(update={"engine": settings.engine.model_copy(update={"runtime": "in-process"})})
    try:
        build(settings, [str(folder / "inputs.parquet")], str(folder / "out"), on_progress=stop)
    except PlannedError:
        report(plan=time.perf_counter() - start, plan_cpu=cpu() - before)


def stage_step(folder: Path) -> None:
    """Staging files for all units: those of a full unit are written once by `commit`, and then get other ids."""
    out, template = Storage(str(folder / "out")), Storage(str(folder / "template"))
    plan = read_plan(out)
    for unit in plan.units(range(plan.num_units)):
        name = BatchName(unit.number, 0, last=True)
        if not unit.number:
            segments = [synthetic_segment(number) for number in range(SEGMENTS)]
            recordings = [
                Recording(replace(source, version="1"), num_samples=SEGMENTS * STRIDE, segments=segments)
                for source in unit.sources
            ]
            commit(template, name, recordings, StageTimes({"decode": 1.0}), audio=False)
            staging, speech = template.read_table(name.file), template.read_table(name.speech)
        count = len(unit.sources)
        out.write_table(name.speech, with_ids(speech.slice(0, count * SEGMENTS), unit), durable=False)
        out.write_table(name.file, with_ids(staging.slice(0, count), unit), durable=False)
    shutil.rmtree(template.root)


def with_ids(table: pa.Table, unit: Unit) -> pa.Table:
    """The same rows with the sources of this unit."""
    sources = [vars_of(source) for source in unit.sources]
    ids = [
        segment_id(source.id, segment.start, segment.end)
        for source in unit.sources
        for segment in map(synthetic_segment, range(SEGMENTS))
    ]
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    if "segments" in columns:
        columns["source"] = pa.array(sources, columns["source"].type)
        nested = columns["segments"]
        flat = nested.flatten()
        arrays = [pa.array(ids) if field.name == "id" else flat.field(field.name) for field in flat.type]
        values = pa.StructArray.from_arrays(arrays, fields=list(flat.type))
        offsets = pa.array(range(0, len(ids) + 1, SEGMENTS), pa.int32())
        columns["segments"] = pa.ListArray.from_arrays(offsets, values, type=nested.type)
    else:
        columns["id"] = pa.array(ids)
        repeated = [source for source in sources for _ in range(SEGMENTS)]
        columns["span_source"] = pa.array(repeated, columns["span_source"].type)
    return pa.table(list(columns.values()), schema=table.schema)


def vars_of(source: object) -> dict[str, object]:
    """The fields of a source as its column holds them."""
    values = {name: getattr(source, name) for name in source.__slots__}  # type: ignore[attr-defined]
    return {**values, "extra": json.dumps(values["extra"]), "version": "1"}


def publish_step(folder: Path) -> None:
    """Go on with the same command: list and compare, judge, ledger, shards, summary."""
    marks = {"resume": (time.perf_counter(), cpu())}

    def note(progress: Progress) -> None:
        if progress.step == "shards" and progress.done == progress.total:
            marks["end"] = time.perf_counter(), cpu()
        else:
            marks.setdefault(progress.step, (time.perf_counter(), cpu()))

    summary = build(config(folder), [str(folder / "inputs.parquet")], str(folder / "out"), on_progress=note)
    assert summary.failed_recordings == 0
    values: dict[str, float] = {"recordings": summary.recordings}
    for (name, begun), (_, ended) in itertools.pairwise(marks.items()):
        values |= {name: ended[0] - begun[0], f"{name}_cpu": ended[1] - begun[1]}
    report(**values)


STEPS = {"plan": plan_step, "stage": stage_step, "publish": publish_step}


def measured(step: str, folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Run a step; what it reports, and the peak GiB of one process of each kind that it starts."""
    command = [sys.executable, "-m", "tests.bench.speed.books", "--step", step, "--folder", str(folder)]
    process = psutil.Popen(command, stdout=-1, text=True, cwd=Path(__file__).parents[3])
    peaks: dict[str, float] = defaultdict(float)
    while process.poll() is None:
        for kind, members in (("driver", [process]), ("worker", _workers(process))):
            for member in members:
                try:
                    peaks[kind] = max(peaks[kind], private_bytes(member) / GIB)
                except psutil.Error:
                    continue
        time.sleep(0.2)
    output = process.stdout.read()
    if process.returncode:
        sys.exit(f"the step {step} failed")
    values: dict[str, float] = {}
    for line in output.splitlines():
        if line.startswith("{"):
            values |= json.loads(line)
    return values, peaks


def _workers(process: psutil.Process) -> Sequence[psutil.Process]:
    try:
        return [member for member in process.children(recursive=True) if "ray::Process" in " ".join(member.cmdline())]
    except psutil.Error:
        return []


def show(size: int, step: str, values: dict[str, float], peaks: dict[str, float], name: str = "") -> None:
    """A line of the table."""
    scale = 1e6 / size
    worker = f"{peaks['worker']:>10.2f}" if peaks.get("worker") else f"{'':>10}"
    print(
        f"{size:>12,} {name or step:<8} {values[step]:>9.1f} {scale * values[step]:>14.0f} "
        f"{scale * values[f'{step}_cpu']:>18.0f} {peaks['driver']:>11.2f} {worker}",
        flush=True,
    )


def run(folder: Path, size: int, *, planning: bool) -> None:
    """All steps of one size."""
    write_manifest(folder, size)
    values, peaks = measured("plan", folder)
    show(size, "plan", values, peaks)
    if planning:
        values, peaks = measured("plan", folder)
        show(size, "plan", values, peaks, "resume")
        return
    measured("stage", folder)
    values, peaks = measured("publish", folder)
    for step in ("resume", "judge", "ledger", "shards"):
        show(size, step, values, peaks)
    assert values["recordings"] == size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000])
    parser.add_argument("--planning", action="store_true")
    parser.add_argument("--step", choices=list(STEPS))
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.step:
        STEPS[arguments.step](arguments.folder)
        return
    names = f"{'recordings':>12} {'step':<8} {'seconds':>9} {'s per million':>14} {'driver CPU s / M':>18}"
    print(f"{names} {'driver GiB':>11} {'worker GiB':>10}", flush=True)
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            run(Path(folder), size, planning=arguments.planning)


if __name__ == "__main__":
    main()
