"""What it costs to divide a corpus, and to keep it divided: CPU seconds, peak memory and bytes of new files.

    python -m tests.bench.living.splits                       # 20,000 recordings of two utterances
    python -m tests.bench.living.splits --size 500000 --keep DIR

The corpus is that of `costs`: 20 recordings of a speaker, no models, tokenizers and audio. Every step is a process of
its own. `measure` finds the shares for the wanted sizes; `place` says what is where, as every publish pass does;
`split` publishes the divided corpus, as `compact` publishes the same without.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from curation.core.storage import Storage
from curation.living.split import settings_for, split
from curation.manifests.index import read_index
from curation.manifests.plan import read_plan
from curation.manifests.splits.places import SplitConfig, division
from curation.pipeline.provenance import read_config
from curation.pipeline.run import build
from tests.bench.living import costs
from tests.bench.speed import books


def write_corpus(folder: Path, size: int) -> None:
    """A published corpus without splits, and staging files of 0.1 % more that is not planned yet."""
    books.write_manifest(folder, size)
    books.plan_step(folder)
    costs.stage(folder, 0)
    build(costs.config(folder), [], str(folder / "out"))


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
    assert all(abs(shares[name] - 0.01) < 0.001 for name in ("dev", "test"))


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
}


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
    parser.add_argument("--keep", metavar="DIR")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        STEPS[arguments.step](Path(arguments.keep))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{books.cpu():.1f} | {peak:.0f}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.keep or temporary)
        if not (folder / "out/shards/_index.json").exists():
            write_corpus(folder, arguments.size)
        print("| step | CPU s | peak, MiB | new bytes |\n|---|---|---|---|", flush=True)
        for name in ("compact", "measure", "split", "place", "nothing new"):
            measured(name, folder)
        check(folder)
        stage_more(folder, arguments.size)
        measured("append, 0.1 %", folder)
        check(folder)


if __name__ == "__main__":
    main()
