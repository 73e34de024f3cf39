"""What it costs to append to a published corpus, to verify and divide it, and to remove speakers: CPU seconds, memory
and bytes.

    python -m tests.bench.living.costs                          # 20,000 recordings of two utterances, and 1 % more
    python -m tests.bench.living.costs --size 500000 --share 0.001 --folder DIR

Plan and staging files are those of `books`, without models, tokenizers and audio. Every step is a process of its own,
which publishes in this process, without Ray. Memory is what it has at its peak beyond its imports. Bytes: all that it
writes, temporary files too; new files that are published (shards, ledger, segments); and the index, which is written
twice, as `shards/_index.json` and as its copy in `generations/`. Two speakers are removed: one of five recordings far
from each other, and one of twenty.

With `--folder` a corpus that is there is taken as it is, so that a bench that was ended can go on with `--from STEP`.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.storage import Storage
from curation.living.remove import Wanted, remove
from curation.living.split import split
from curation.living.verify import verify
from curation.manifests.plan import read_plan
from curation.manifests.staging import BatchName, committed
from curation.pipeline.config import BuildConfig
from curation.pipeline.run import build
from tests.bench.living.peak import peak_mib
from tests.bench.speed import books

RARE = "a speaker of five recordings"
FOLDERS = ("shards", "ledger", "segments")
INDEX = "shards/_index.json"
HEAD = """| | CPU s | MiB | written, bytes | new files | their bytes | index, bytes | written / (new + index) |
|---|---|---|---|---|---|---|---|"""


def config(folder: Path) -> BuildConfig:
    """That of `books`, in this process, with shards that a small corpus has several of."""
    found = books.config(folder)
    engine = found.engine.model_copy(update={"runtime": "in-process"})
    publish = found.publish.model_copy(update={"shard_hours": 2.0})
    return found.model_copy(update={"engine": engine, "publish": publish})


def sizes(out: Path) -> dict[str, int]:
    """Bytes of each published file."""
    return {
        f"{folder}/{path.name}": path.stat().st_size for folder in FOLDERS for path in (out / folder).glob("*.parquet")
    }


def stage(folder: Path, first_unit: int) -> None:
    """Staging files of the units from this one on: those of full units are copies with other ids."""
    out = Storage(str(folder / "out"))
    plan = read_plan(out)
    if not first_unit:
        books.stage_step(folder)
        return
    known = committed(out)[0]
    staging, speech = out.read_table(known.file), out.read_table(known.speech)
    for unit in plan.units(range(first_unit, plan.num_units)):
        name, count = BatchName(unit.number, 0, last=True), len(unit.sources)
        assert count <= staging.num_rows
        metadata = staging.schema.metadata
        out.write_table(name.speech, books.with_ids(speech.slice(0, count * books.SEGMENTS), unit), durable=False)
        rows = books.with_ids(staging.slice(0, count), unit).replace_schema_metadata(metadata)
        out.write_table(name.file, rows, durable=False)


def make(folder: Path, size: int) -> None:
    """The labelled build."""
    books.write_manifest(folder, size)
    scattered = {size * part // 5 for part in range(5)}
    for part, path in enumerate(sorted((folder / "inputs.parquet").iterdir())):
        table = pq.read_table(path)
        speakers = [
            RARE if number + part * books.ROWS_PER_PART in scattered else name
            for number, name in enumerate(table["speaker"].to_pylist())
        ]
        place = table.column_names.index("speaker")
        pq.write_table(table.set_column(place, "speaker", pa.array(speakers)), path)
    books.plan_step(folder)
    stage(folder, 0)


def make_more(folder: Path, count: int) -> None:
    """So many recordings more, labelled and not published."""
    shutil.rmtree(folder / "inputs.parquet")
    books.BUCKET = "s3://books/more"
    books.write_manifest(folder, count)
    begin = read_plan(Storage(str(folder / "out"))).num_units
    books.plan_step(folder)
    stage(folder, begin)


def check(folder: Path) -> None:
    """Fail where the corpus is not whole."""
    assert verify(Storage(str(folder / "out"))) == []


def publish(folder: Path, *, compact: bool = False) -> None:
    """What `curation build` does when all is labelled."""
    build(config(folder), [], str(folder / "out"), compact=compact)


def removal(speaker: str) -> Callable[[Path], object]:
    """Removes a speaker."""
    return lambda folder: remove(str(folder / "out"), Wanted(speakers=[speaker]), "consent")


STEPS: dict[str, Callable[[Path], object]] = {
    "build": publish,
    "append": publish,
    "nothing new": publish,
    "verify": check,
    "remove a speaker of 5 recordings": removal(RARE),
    "remove a speaker of 20 recordings": removal("speaker 7"),
    "compact": lambda folder: publish(folder, compact=True),
    "split": lambda folder: split(str(folder / "out"), dev="1%", test="1%"),
}


def written() -> int:
    """Bytes that this process has given to the system to write."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def measured(step: str, folder: Path) -> None:
    """Print a line of the table."""
    before = sizes(folder / "out")
    command = [sys.executable, "-m", "tests.bench.living.costs", "--step", step, "--folder", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    spent, memory, count = done.stdout.split()
    after, index = sizes(folder / "out"), (folder / "out" / INDEX).stat().st_size
    new = [size for file, size in after.items() if file not in before]
    share = f"{int(count) / (sum(new) + 2 * index):.2f}" if new else ""
    amounts = f"{int(count):,} | {len(new)} | {sum(new):,} | {index:,} | {share}"
    print(f"| {step} | {spent} | {memory} | {amounts} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--from", dest="first", choices=list(STEPS), default="build")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        start, before, so_far = books.cpu(), peak_mib(), written()
        STEPS[chosen.step](chosen.folder)
        print(f"{books.cpu() - start:.1f} {peak_mib() - before:.0f} {written() - so_far}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        if not (folder / "out").exists():
            make(folder, chosen.size)
        print(HEAD, flush=True)
        for step in list(STEPS)[list(STEPS).index(chosen.first) :]:
            if step == "append":
                make_more(folder, round(chosen.size * chosen.share))
            measured(step, folder)


if __name__ == "__main__":
    main()
