"""What it costs to append to a published corpus, to verify it, and to remove a speaker: CPU seconds and bytes.

    python -m tests.bench.living.costs                          # 20,000 recordings of two utterances, and 1 % more
    python -m tests.bench.living.costs --size 500000 --share 0.001

With `--folder` and `--step` (make, then build) what is not measured is made by a process of its own. Plan and
staging files are those of `books`, without models, tokenizers and audio; all runs in this process. Bytes are those of
new files in the folders that are published, and of files that a removal writes again. Two speakers are removed: one of
five recordings far from each other, and one of twenty.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.storage import Storage
from curation.living.remove import Wanted, remove
from curation.living.verify import verify
from curation.manifests.index import read_index
from curation.manifests.plan import read_plan
from curation.manifests.staging import BatchName, committed
from curation.pipeline.config import BuildConfig
from curation.pipeline.run import build
from tests.bench.speed import books

RARE = "a speaker of five recordings"
FOLDERS = ("shards", "ledger", "segments", "generations")


def config(folder: Path) -> BuildConfig:
    """That of `books`, in this process, with shards that a small corpus has several of."""
    found = books.config(folder)
    engine = found.engine.model_copy(update={"runtime": "in-process"})
    publish = found.publish.model_copy(update={"shard_hours": 2.0})
    return found.model_copy(update={"engine": engine, "publish": publish})


def sizes(out: Path) -> dict[str, int]:
    """Bytes of each published file."""
    return {f"{folder}/{path.name}": path.stat().st_size for folder in FOLDERS for path in (out / folder).glob("*")}


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


def measured(name: str, action: Callable[[], object], out: Path) -> None:
    """Print a line of the table."""
    before, start = sizes(out), books.cpu()
    action()
    spent, after = books.cpu() - start, sizes(out)
    new = sum(size for file, size in after.items() if file not in before)
    index = after["shards/_index.json"]
    print(f"{name:<22} {spent:>8.1f} {new:>12,} {index:>10,} {len(after.keys() - before.keys()):>9}", flush=True)


def check(out: Path) -> None:
    """Fail where the corpus is not whole."""
    assert verify(Storage(str(out))) == []


def publish(folder: Path, *, compact: bool = False) -> None:
    """What `curation build` does when all is labelled."""
    build(config(folder), [], str(folder / "out"), compact=compact)


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


def first(folder: Path, size: int) -> None:
    """The first line of the table."""
    print(f"{'':<22} {'CPU s':>8} {'new bytes':>12} {'index':>10} {'new files':>9}", flush=True)
    measured(f"build, {size:,}", lambda: publish(folder), folder / "out")


def rest(folder: Path, count: int) -> None:
    """The other lines, with `count` more recordings."""
    out = folder / "out"
    shutil.rmtree(folder / "inputs.parquet")
    books.BUCKET = "s3://books/more"
    books.write_manifest(folder, count)
    begin = read_plan(Storage(str(out))).num_units
    books.plan_step(folder)
    stage(folder, begin)
    measured(f"append, {count:,}", lambda: publish(folder), out)
    measured("nothing new", lambda: publish(folder), out)
    measured("verify", lambda: check(out), out)
    for name, speaker in (("remove 5 recordings", RARE), ("remove 20 recordings", "speaker 7")):
        measured(name, lambda speaker=speaker: remove(str(out), Wanted(speakers=[speaker]), "consent"), out)
    measured("compact", lambda: publish(folder, compact=True), out)
    assert read_index(Storage(str(out))).generations[-1].kind == "compact"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step", choices=["make", "build"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        if chosen.step in {None, "make"}:
            make(folder, chosen.size)
        if chosen.step in {None, "build"}:
            first(folder, chosen.size)
            rest(folder, round(chosen.size * chosen.share))


if __name__ == "__main__":
    main()
