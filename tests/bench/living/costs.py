"""What it costs to append to a published corpus, to verify it, and to remove a speaker: CPU seconds and bytes.

    python -m tests.bench.living.costs                      # 20,000 recordings of two utterances, and 1 % more
    python -m tests.bench.living.costs --size 500000

Plan and staging files are those of `books`, without models, tokenizers and audio; all runs in this process. Bytes are
those of new files in the folders that are published, and of files that a removal writes again.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from curation.core.storage import Storage
from curation.living.remove import Wanted, remove
from curation.living.verify import verify
from curation.manifests.index import read_index
from curation.manifests.plan import read_plan
from curation.manifests.staging import BatchName, committed
from curation.pipeline.config import BuildConfig
from curation.pipeline.run import build
from tests.bench.speed import books

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


def run(folder: Path, size: int) -> None:
    """The whole table."""
    out = folder / "out"
    parts = folder / "inputs.parquet"

    def publish(*, compact: bool = False) -> None:
        build(config(folder), [], str(out), compact=compact)

    books.write_manifest(folder, size)
    books.plan_step(folder)
    stage(folder, 0)
    print(f"{'':<22} {'CPU s':>8} {'new bytes':>12} {'index':>10} {'new files':>9}", flush=True)
    measured(f"build, {size:,}", publish, out)
    shutil.rmtree(parts)
    books.BUCKET = "s3://books/more"
    books.write_manifest(folder, size // 100)
    first = read_plan(Storage(str(out))).num_units
    books.plan_step(folder)
    stage(folder, first)
    measured(f"append, {size // 100:,}", publish, out)
    measured("nothing new", publish, out)
    measured("verify", lambda: check(out), out)
    measured("remove a speaker", lambda: remove(str(out), Wanted(speakers=["speaker 7"]), "consent"), out)
    measured("compact", lambda: publish(compact=True), out)
    assert read_index(Storage(str(out))).generations[-1].kind == "compact"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), arguments.size)


if __name__ == "__main__":
    main()
