"""Kills publish passes over a corpus that is there, at random moments: readers see the old corpus or the new one.

    python -m tests.support.faults.publish_kills --kills 30        # prints a line for each kill

The same labels are published with two thresholds in turn. SIGKILL hits the driver, one Ray worker or the whole session,
after a random number of files of the pass; the last moments are those around the switch and the removal of what was.
After each kill the corpus is compared with those of builds that nobody disturbed; a pass that was killed before its
switch is begun again, and in the end no file is left that the index does not name.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from curation.core.storage import Storage
from curation.manifests import index, plan
from curation.pipeline import publish
from curation.pipeline.config import BuildConfig
from curation.pipeline.edition import FOLDER, PUBLISHED
from tests.support.builds import toy_build, toy_config, write_recordings
from tests.support.kill_harness import ROOT, RUN_TIMEOUT_SECONDS, kill

WAYS = ("session", "driver", "worker")
THRESHOLDS = (0.15, 0.05)
"""`consensus.max_pwer` of the two corpora."""
SHARD_SECONDS = 2.0
LATE = 0.3
"""Share of the kills that are after the last task: at the switch, or while files of the old corpus are removed."""

Corpus = tuple[pa.Table, ...]


@dataclass
class Kills:
    """What a series of kills led to."""

    ways: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    """What was there after them: the `old` corpus, the `new` one, or `neither`."""
    runs: int = 0
    clean: bool = True
    """Whether in the end there was no file that the index does not name."""


def corpus(out: Path) -> Corpus:
    """What the index names: shards, ledger and segments, each as one table.

    Raises OSError where a file is missing; but where a pass has switched meanwhile, the index is read again.
    """
    files = Storage(str(out))
    names = index.read_index(files)
    shards = [entry.file for entry in names.shards]
    found = zip(("shards", "ledger", "segments"), (shards, names.ledger, names.segments), strict=True)
    try:
        return tuple(
            pa.concat_tables(files.read_table(f"{folder}/{name}").replace_schema_metadata() for name in members)
            for folder, members in found
        )
    except FileNotFoundError:
        if index.read_index(files).edition == names.edition:
            raise
        return corpus(out)


def is_clean(out: Path) -> bool:
    """Whether nothing lies beside the corpus, and nothing of a pass is left."""
    names = index.read_index(Storage(str(out)))
    there = sum(len(list((out / folder).glob("*.parquet"))) for folder in PUBLISHED)
    return there == len(names.shards) + len(names.ledger) + len(names.segments) and not (out / FOLDER).exists()


def torture(kills: int, recordings: int, folder: Path, seed: int = 0, *, verbose: bool = False) -> Kills:
    """Publish under `kills` kills."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    source = write_recordings(folder / "in", [f"r{number:03d}" for number in range(recordings)])
    out, result = folder / "out", Kills()
    expected = []
    for number in (1, 0):
        toy_build(source, out, _config(number, "in-process"))
        expected.insert(0, corpus(out))
    assert not expected[0][0].equals(expected[1][0])
    tasks, old = _undisturbed(source, out), 1
    while len(result.ways) < kills:
        way = WAYS[len(result.ways) % len(WAYS)]
        late = chance.random() < LATE
        process = _start(source, out, 1 - old)
        result.runs += 1
        done = len(_results(out))  # a pass that goes on has the results of the one before it already
        results = tasks - 1 if late else chance.randrange(done, max(done + 1, tasks))
        seconds = chance.uniform(0.0, 0.4 if late else 0.1)
        hit = _wait(process, out, results) and _pause(process, seconds)
        switched = False
        if hit and kill(process, way):
            result.ways.append(way)
            found = corpus(out)
            place = next((number for number in (old, 1 - old) if found == expected[number]), None)
            switched = place == 1 - old
            result.seen["neither" if place is None else "new" if switched else "old"] += 1
            if verbose:
                print(f"kill {len(result.ways)}: {way}{', late' if late else ''}: {dict(result.seen)}", flush=True)
        if ended := process.wait(RUN_TIMEOUT_SECONDS) == 0:
            result.clean &= is_clean(out) and corpus(out) == expected[1 - old]
        old = 1 - old if ended or switched else old
    if _start(source, out, old).wait(RUN_TIMEOUT_SECONDS):
        result.clean = False
    result.clean &= is_clean(out) and corpus(out) == expected[old]
    return result


def _undisturbed(source: Path, out: Path) -> int:
    """Publish the second corpus; how many results its tasks leave."""
    process, most = _start(source, out, 1), 0
    while process.poll() is None:
        most = max(most, len(_results(out)))
        time.sleep(0.01)
    assert process.returncode == 0
    return most


def _results(out: Path) -> Sequence[Path]:
    return list((out / FOLDER).glob("v*/*.json"))


def _wait(process: subprocess.Popen[bytes], out: Path, results: int) -> bool:
    """Wait until a pass has so many results; False where it ended before."""
    while process.poll() is None:
        if len(_results(out)) >= max(1, results):
            return True
        time.sleep(0.005)
    return False


def _pause(process: subprocess.Popen[bytes], seconds: float) -> bool:
    time.sleep(seconds)
    return process.poll() is None


def _start(source: Path, out: Path, number: int) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "tests.support.faults.publish_kills",
        "--target",
        str(source),
        str(out),
        str(number),
    ]
    with (out.parent / "output.txt").open("a") as output:
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)


def _config(number: int, runtime: str) -> BuildConfig:
    base = toy_config(runtime, batch_seconds=6)
    return base.model_copy(
        update={
            "consensus": base.consensus.model_copy(update={"max_pwer": THRESHOLDS[number]}),
            "publish": base.publish.model_copy(update={"shard_hours": SHARD_SECONDS / 3600}),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--recordings", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", nargs=3, metavar=("IN", "OUT", "NUMBER"), help="what the subprocess does")
    arguments = parser.parse_args()
    plan.UNITS_PER_PART = publish.FILES_PER_TASK = 1  # many tasks, so that workers have some
    if arguments.target:
        source, out, number = arguments.target
        toy_build(Path(source), Path(out), _config(int(number), "ray"))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = torture(arguments.kills, arguments.recordings, Path(folder), arguments.seed, verbose=True)
    ways = ", ".join(f"{count} x {way}" for way, count in Counter(found.ways).items())
    print(
        f"{len(found.ways)} kills ({ways}) in {found.runs} runs: {dict(found.seen)}; nothing left over: {found.clean}"
    )
    if found.seen["neither"] or not found.clean:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
