"""What the engine costs: ten-second files through decode, loudness and publish, three ways in one run.

    python -m tests.bench.speed.overhead

A plain process pool writes one Parquet file for each task and keeps no accounts; the in-process and the Ray engine do
a whole build. Start-up (processes, imports, Ray) is taken out by timing two sizes: the figure is the difference. The
smaller one has to be so large that all workers have been begun: the engine begins some of them where calls wait. CPU
seconds are those of this process and of all that it starts, Ray's own processes included; unlike those of the wall,
they say something on a busy machine.
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from curation.audio.flac import encode_flac
from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Recording, Segment, Source
from curation.pipeline.config import BuildConfig, load_config
from curation.pipeline.run import build
from curation.stages.base import Stage
from curation.stages.decode.stage import decode_spans
from curation.stages.loudness import Loudness
from tests.support.dummies import speech

SECONDS = 10.0
FILES_PER_TASK = 16
LOOK_SECONDS = 0.2
SMALL = 240
"""Files of the smaller size: with 40 of them Ray had begun two of its four workers, and two more take 6 s of CPU."""


class Whole(Stage):
    """Makes one segment of each recording, with the scores that let it pass."""

    name = "whole"

    def process(self, batch: Sequence[Recording]) -> None:
        scores = {"boundary.cut": 0.0, "transcribe.systems": 2.0, "text.words": 1.0, "pwer": 0.0, "confidence": 1.0}
        for recording in batch:
            whole = Segment(recording.offset, recording.end, "S0", scores=dict(scores), audio=recording.audio)
            recording.segments = [whole]


def stages(config: BuildConfig) -> list[Stage]:
    return [Loudness(config.loudness), Whole()]


def by_engine(runtime: str, folder: Path, out: Path) -> None:
    """A whole build."""
    overrides = [f"engine.runtime={runtime}", f"engine.unit_files={FILES_PER_TASK}", "tokenize=null"]
    build(load_config(overrides=[*overrides, "publish.audio=true"]), [str(folder)], str(out), make_stages=stages)


def pool_task(paths: list[Path], target: Path) -> int:
    config = load_config()
    loudness = Loudness(config.loudness)
    rows = []
    for path in paths:
        for recording in decode_spans(Source(path.stem, str(path)), config.decode):
            loudness.process([recording])
            assert recording.audio is not None
            rows.append({"id": path.stem, "audio": encode_flac(recording.audio)})
    pq.write_table(pa.Table.from_pylist(rows), target, compression="zstd")
    return len(rows)


def by_pool(folder: Path, out: Path) -> None:
    """A process pool over groups of files."""
    out.mkdir(parents=True)
    paths = sorted(folder.glob("*.wav"))
    groups = [paths[start : start + FILES_PER_TASK] for start in range(0, len(paths), FILES_PER_TASK)]
    targets = [out / f"{number:04d}.parquet" for number in range(len(groups))]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        assert sum(pool.map(pool_task, groups, targets)) == len(paths)


class TreeTime:
    """CPU seconds of this process and of those that it starts, by kind; looked at several times a second."""

    def __init__(self) -> None:
        self._me, self._seconds, self._ended = psutil.Process(), dict[tuple[str, int], float](), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._own = 0.0
        """That the looking takes, which is not the driver's."""

    def __enter__(self) -> Self:
        self._look()
        self._begun = self.by_kind()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._look()
        self._ended.set()
        self._thread.join()

    def by_kind(self) -> Counter[str]:
        """Seconds so far."""
        found: Counter[str] = Counter()
        for (kind, _), seconds in list(self._seconds.items()):
            found[kind] += seconds
        return found

    @property
    def taken(self) -> Counter[str]:
        """Seconds since the beginning."""
        return self.by_kind() - self._begun - Counter({"driver": self._own})

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._look()
            self._own = time.thread_time()

    def _look(self) -> None:
        for process in [self._me, *self._me.children(recursive=True)]:
            with suppress(psutil.Error):
                times, name = process.cpu_times(), process.name()
                kind = "driver" if process == self._me else "workers" if name.startswith(("ray::", "python")) else "Ray"
                self._seconds[kind, process.pid] = times.user + times.system


@dataclass
class Taken:
    """What the files take that the larger size has more than the smaller one, and the start."""

    wall: float
    cpu: Counter[str]
    """By kind of process."""
    start_wall: float
    start_cpu: float

    @property
    def cpu_seconds(self) -> float:
        """Of all processes."""
        return sum(self.cpu.values())


def marginal(run: Callable[[Path, Path], None], small: Path, large: Path, out: Path) -> Taken:
    """Time both sizes."""
    taken, cpu = list[float](), list[Counter[str]]()
    for folder in (small, large):
        shutil.rmtree(out, ignore_errors=True)
        start = time.perf_counter()
        with TreeTime() as times:
            run(folder, out)
        taken.append(time.perf_counter() - start)
        cpu.append(times.taken)
    few, many = len(list(small.iterdir())), len(list(large.iterdir()))
    cpu[1].subtract(cpu[0])
    wall, seconds, share = taken[1] - taken[0], sum(cpu[1].values()), few / (many - few)
    return Taken(wall, cpu[1], taken[0] - share * wall, sum(cpu[0].values()) - share * seconds)


def write_files(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        soundfile.write(folder / f"{number:04d}.wav", np.roll(speech(SECONDS), number * 400), SAMPLE_RATE)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    ways: dict[str, Callable[[Path, Path], None]] = {
        "process pool": by_pool,
        "in-process": lambda folder, out: by_engine("in-process", folder, out),
        "Ray engine": lambda folder, out: by_engine("ray", folder, out),
    }
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        small = write_files(root / "small", SMALL)
        large = write_files(root / "large", SMALL + arguments.files)
        best: dict[str, Taken] = {}
        for _ in range(arguments.repeats):
            for way, run in ways.items():
                taken = marginal(run, small, large, root / "out")
                best[way] = min(best.get(way, taken), taken, key=lambda taken: taken.cpu_seconds)
    print(
        f"{arguments.files} files of {SECONDS:g} s, best of {arguments.repeats} by CPU; start: seconds of CPU and wall"
    )
    print(f"{'':<14} {'CPU s':>8} {'x pool':>7} {'wall s':>8} {'x pool':>7} {'start CPU':>10} {'wall':>6}")
    pool = best["process pool"]
    for way, found in best.items():
        times = f"{found.cpu_seconds:>8.2f} {found.cpu_seconds / pool.cpu_seconds:>7.2f} {found.wall:>8.2f}"
        start = f"{found.wall / pool.wall:>7.2f} {found.start_cpu:>10.1f} {found.start_wall:>6.1f}"
        print(f"{way:<14} {times} {start}  {', '.join(f'{kind} {part:.1f}' for kind, part in found.cpu.items())}")


if __name__ == "__main__":
    main()
