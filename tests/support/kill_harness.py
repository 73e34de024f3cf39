"""Kills a build at random moments, resumes it, and compares the result with an uninterrupted one.

    python -m tests.support.kill_harness --kills 30        # prints a line for each kill and the repeated work

Three ways to die: the driver alone, one Ray worker, or the whole Ray session with everything in it; while recordings
are labelled, and while shards are written.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from curation.core.storage import Storage
from curation.pipeline.config import BuildConfig
from curation.pipeline.run import build_state
from tests.support.builds import table, toy_build, toy_config, write_recordings
from tests.support.toy import LOG_VARIABLE, slow_toy_stages

ROOT = Path(__file__).parents[2]
STOPS = [
    ("session", "label"),
    ("driver", "publish"),
    ("driver", "label"),
    ("worker", "label"),
    ("worker", "publish"),
    ("session", "label"),
    ("session", "publish"),
]
"""What is killed, and in which pass. A build that was killed in its publish pass may then end."""
SHARD_SECONDS = 2.0
"""So short that there are many shards: the publish pass then takes long enough to be hit."""
RUN_TIMEOUT_SECONDS = 180


@dataclass
class Outcome:
    """What a series of kills led to."""

    kills: int
    runs: int
    labelled: int
    """Recordings that went through the stages, repeated ones counted again."""
    recordings: int
    same: bool
    stops: list[tuple[str, str]] = field(default_factory=list)
    """What was killed, and in which pass."""

    @property
    def repeated(self) -> float:
        """Work done again, as a share of the work needed, for each kill."""
        return (self.labelled / self.recordings - 1) / max(1, self.kills)


def build_in_subprocess(folder: Path, out: Path, log: Path, runtime: str = "ray") -> subprocess.Popen:
    """Start a build in its own process group."""
    command = [sys.executable, "-m", "tests.support.kill_harness", "--target", str(folder), str(out), runtime]
    environment = {**os.environ, LOG_VARIABLE: str(log)}
    with (out.parent / "output.txt").open("a") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def kill(process: subprocess.Popen, way: str) -> bool:
    """SIGKILL what `way` says; False where there was nothing of the kind."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return False
    if way == "driver":
        victims = [process.pid]
    elif way == "worker":
        workers = [child.pid for child in family if _is_worker(child)]
        victims = [random.choice(workers)] if workers else []  # noqa: S311 - no secret
    else:
        victims = [process.pid, *(child.pid for child in family)]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if way != "worker":
        process.wait()
        for child in family:
            _end(child)
    return bool(victims)


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("MapWorker" in part or "ray::" in part for part in process.cmdline()[:1])
    except psutil.Error:
        return False


def _end(process: psutil.Process) -> None:
    try:
        process.kill()
        process.wait(10)
    except psutil.Error:
        return


def torture(
    kills: int, recordings: int, folder: Path, seed: int = 0, *, last: str = "ray", verbose: bool = False
) -> Outcome:
    """Build under `kills` kills and compare with a build that nobody disturbed. `last`: the runtime after the last."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    names = [f"r{number:03d}" for number in range(recordings)]
    source = write_recordings(folder / "in", names)
    toy_build(source, folder / "expected", _config("in-process"), make_stages=slow_toy_stages)
    shards = len(json.loads((folder / "expected/shards/_index.json").read_text())["shards"])
    log = folder / "log"
    stops: list[tuple[str, str]] = []
    runs = labelled = wanted = 0
    same = True
    while len(stops) < kills:
        out = folder / f"out{wanted}"
        log.unlink(missing_ok=True)
        wanted += 1
        finished = may_end = False
        while not finished:
            process = build_in_subprocess(source, out, log, "ray" if len(stops) < kills else last)
            runs += 1
            if len(stops) < kills and not may_end:
                way, part = STOPS[len(stops) % len(STOPS)]
                files = chance.uniform(0.0, 1.0) * (recordings / 2 if part == "label" else shards / 2)
                if _wait_for(process, out, part, files) and kill(process, way):
                    stops.append((way, part))
                    may_end = part == "publish"
                    if verbose:
                        print(f"kill {len(stops)}: {way}, {part}, {files:.0f} files written")
            finished = process.wait(RUN_TIMEOUT_SECONDS) == 0
        labelled += len(log.read_text().splitlines())
        same &= all(table(out, name).equals(table(folder / "expected", name)) for name in ("shards", "ledger"))
    return Outcome(len(stops), runs, labelled, recordings * wanted, same, stops)


def _wait_for(process: subprocess.Popen, out: Path, part: str, files: float) -> bool:
    """Wait until a pass has written so many files; False if it ended before."""
    folder = {"label": "staging", "publish": "shards"}[part]
    while process.poll() is None:
        phase = build_state(Storage(str(out))).phase
        if phase == part and len(list((out / folder).glob("*.parquet"))) >= files:
            return not (out / "shards/_index.json").exists()
        if (phase, part) == ("publish", "label"):
            return False
        time.sleep(0.02)
    return False


def _config(runtime: str) -> BuildConfig:
    config = toy_config(runtime, batch_seconds=6)
    publish = config.publish.model_copy(update={"shard_hours": SHARD_SECONDS / 3600})
    return config.model_copy(update={"publish": publish})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--recordings", type=int, default=60)
    parser.add_argument("--target", nargs=3, metavar=("IN", "OUT", "RUNTIME"), help="what the subprocess does")
    arguments = parser.parse_args()
    if arguments.target:
        source, out, runtime = arguments.target
        toy_build(Path(source), Path(out), _config(runtime), make_stages=slow_toy_stages)
        return
    with tempfile.TemporaryDirectory() as folder:
        outcome = torture(arguments.kills, arguments.recordings, Path(folder), verbose=True)
    print(f"{outcome.kills} kills, {outcome.runs} runs, same rows: {outcome.same}")
    print(
        f"work repeated: {outcome.labelled} for {outcome.recordings} recordings, {outcome.repeated:.1%} for each kill"
    )
    if not outcome.same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
