"""What it costs to divide a corpus, and to keep it divided: CPU seconds, peak memory and bytes of new files.

    python -m tests.bench.living.splits                       # 20,000 recordings of two utterances
    python -m tests.bench.living.splits --recordings 500000   # only what is read of plan and ledger

The corpus is that of `costs`: 20 recordings of a speaker, no models, tokenizers and audio. Every step is a process of
its own. `measure` finds the shares for the wanted sizes; `place` says what is where, as every publish pass does;
`split` publishes the divided corpus, as `compact` publishes the same without.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from curation.core.storage import Storage
from curation.living.split import settings_for, split
from curation.manifests import ledger
from curation.manifests.index import FILE as INDEX
from curation.manifests.index import ShardIndex, read_index
from curation.manifests.plan import Todo, extend_plan, read_plan
from curation.manifests.records import Source
from curation.manifests.schemas import LEDGER
from curation.manifests.splits.components import Components
from curation.manifests.splits.places import LINKS, SplitConfig, division, moved
from curation.manifests.splits.sizes import Wanted, kept_samples
from curation.manifests.splits.sizes import measured as measured_shares
from curation.pipeline.provenance import read_config
from curation.pipeline.run import build
from tests.bench.living import costs
from tests.bench.living.peak import peak_mib
from tests.bench.speed import books

PART = 2**14
"""Recordings of a part of the ledger, as a build has them."""


def write_corpus(folder: Path, size: int) -> None:
    """A published corpus without splits, and staging files of 0.1 % more that is not planned yet."""
    books.write_manifest(folder, size)
    books.plan_step(folder)
    costs.stage(folder, 0)
    build(costs.config(folder), [], str(folder / "out"))


def write_books(folder: Path, recordings: int) -> None:
    """A plan of so many recordings, 20 of a speaker, and a ledger that keeps two utterances of each; all is train."""
    out = Storage(str(folder / "out"))
    numbers = range(recordings)
    sources = (
        Source(f"r{number:09d}", f"{books.BUCKET}/{number:09d}.flac", speaker=f"speaker {number // 20}")
        for number in numbers
    )
    extend_plan(out, read_plan(out), map(Todo, sources), unit_files=books.UNIT_FILES, unit_bytes=2**40)
    names = []
    for start in range(0, recordings, PART):
        mine = range(start, min(start + PART, recordings))
        rows = {
            "recording_id": [f"r{number:09d}" for number in mine for _ in range(3)],
            "start_sample": [0, 16_000, 64_000] * len(mine),
            "end_sample": [16_000, 64_000, 160_000] * len(mine),
            "status": ["non_speech", "kept", "kept"] * len(mine),
            "split": ["train"] * 3 * len(mine),
        }
        empty = {name: pa.nulls(3 * len(mine), kind) for name, kind in zip(LEDGER.names, LEDGER.types, strict=True)}
        table = pa.table({**empty, **{name: pa.array(rows[name], LEDGER.field(name).type) for name in rows}})
        names.append(ledger.file_name(len(names)))
        out.write_table(f"{ledger.FOLDER}/{names[-1]}", table.select(LEDGER.names))
    corpus = ShardIndex([], ledger=names, split=SplitConfig().model_dump(mode="json"))
    out.write_json(INDEX, corpus.to_json())


def shares_of(out: Storage) -> SplitConfig:
    """The shares for 1 % of dev and of test."""
    components = Components.of(read_plan(out), LINKS)
    kept = kept_samples(out, read_index(out), components)
    return measured_shares(components, kept, Wanted(0.01, is_share=True), Wanted(0.01, is_share=True), SplitConfig())


def placed_again(out: Storage) -> None:
    """What every publish pass asks: which split everything is in, and what has to move."""
    splits = division(out, read_plan(out), SplitConfig())
    assert splits is not None
    assert moved(out, read_index(out), splits) == {}


def append(folder: Path) -> None:
    """Publish recordings that are staged beside the corpus."""
    config, out = costs.config(folder), folder / "out"
    publish = config.publish.model_copy(update={"split": read_config(Storage(str(out))).publish.split})
    build(config.model_copy(update={"publish": publish}), [], str(out))


def stage_more(folder: Path, size: int) -> None:
    """Plan and stage 0.1 % more."""
    (folder / "inputs.parquet").rename(folder / "before.parquet")
    books.BUCKET = "s3://books/more"
    books.write_manifest(folder, max(size // 1000, 1))
    first = read_plan(Storage(str(folder / "out"))).num_units
    books.plan_step(folder)
    costs.stage(folder, first)


def check(folder: Path) -> None:
    """Fail where the splits have not the sizes that were asked for, or do not add up."""
    index = read_index(Storage(str(folder / "out")))
    shares = {portion.split: portion.seconds / index.seconds for portion in index.portions}
    assert set(shares) == {"train", "dev", "test"}
    assert all(abs(shares[name] - 0.01) < 0.005 for name in ("dev", "test"))


STEPS: dict[str, Callable[[Path], object]] = {
    "compact": lambda folder: build(costs.config(folder), [], str(folder / "out"), compact=True),
    "measure": lambda folder: settings_for(str(folder / "out"), dev="1%", test="1%"),
    "split": lambda folder: split(str(folder / "out"), dev="1%", test="1%"),
    "place": lambda folder: division(
        Storage(str(folder / "out")),
        read_plan(Storage(str(folder / "out"))),
        read_config(Storage(str(folder / "out"))).publish.split or SplitConfig(),
    ),
    "nothing new": append,
    "append, 0.1 %": append,
    "join": lambda folder: Components.of(read_plan(Storage(str(folder / "out"))), LINKS),
    "measure, from plan and ledger": lambda folder: shares_of(Storage(str(folder / "out"))),
    "place, from plan and ledger": lambda folder: placed_again(Storage(str(folder / "out"))),
}
READING = ("join", "measure, from plan and ledger", "place, from plan and ledger")
HEAD = "| step | CPU s | more memory, MiB | new bytes |\n|---|---|---|---|"


def measured(name: str, folder: Path) -> None:
    """A line of the table."""
    before = costs.sizes(folder / "out")
    command = [sys.executable, "-m", "tests.bench.living.splits", "--step", name, "--keep", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = costs.sizes(folder / "out")
    new = sum(size for file, size in after.items() if file not in before)
    print(f"| {name} | {done.stdout.strip()} | {new:,} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--recordings", type=int)
    parser.add_argument("--keep", metavar="DIR")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        start, before = books.cpu(), peak_mib()
        STEPS[arguments.step](Path(arguments.keep))
        print(f"{books.cpu() - start:.1f} | {peak_mib() - before:.0f}")
        return
    if arguments.recordings:
        with tempfile.TemporaryDirectory() as temporary:
            write_books(Path(temporary), arguments.recordings)
            print(f"{arguments.recordings:,} recordings\n\n{HEAD}", flush=True)
            for name in READING:
                measured(name, Path(temporary))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.keep or temporary)
        if not (folder / "out/shards/_index.json").exists():
            write_corpus(folder, arguments.size)
        print(HEAD, flush=True)
        for name in ("compact", "measure", "split", "place", "nothing new"):
            measured(name, folder)
        check(folder)
        stage_more(folder, arguments.size)
        measured("append, 0.1 %", folder)
        check(folder)


if __name__ == "__main__":
    main()
