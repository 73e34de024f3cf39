"""What the engine costs: ten-second files through decode, loudness and publish, three ways in one run.

    python -m tests.bench.speed.overhead

A plain process pool writes one Parquet file for each task and keeps no accounts; the in-process and the Ray engine do
a whole build. Start-up (processes, imports, Ray) is taken out by timing two sizes: the figure is the difference.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
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


def marginal(run: Callable[[Path, Path], None], small: Path, large: Path, out: Path) -> tuple[float, float]:
    """Seconds for the files that `large` has more than `small`, and seconds of start-up."""
    taken = []
    for folder in (small, large):
        shutil.rmtree(out, ignore_errors=True)
        start = time.perf_counter()
        run(folder, out)
        taken.append(time.perf_counter() - start)
    more = len(list(large.iterdir())) - len(list(small.iterdir()))
    each = (taken[1] - taken[0]) / more
    return taken[1] - taken[0], taken[0] - each * len(list(small.iterdir()))


def write_files(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        soundfile.write(folder / f"{number:04d}.wav", np.roll(speech(SECONDS), number * 400), SAMPLE_RATE)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    ways: dict[str, Callable[[Path, Path], None]] = {
        "process pool": by_pool,
        "in-process": lambda folder, out: by_engine("in-process", folder, out),
        "Ray engine": lambda folder, out: by_engine("ray", folder, out),
    }
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        small = write_files(root / "small", 40)
        large = write_files(root / "large", 40 + arguments.files)
        best: dict[str, tuple[float, float]] = {}
        for _ in range(arguments.repeats):
            for way, run in ways.items():
                taken = marginal(run, small, large, root / "out")
                best[way] = min(best.get(way, taken), taken)
    print(f"{arguments.files} files of {SECONDS:g} s, best of {arguments.repeats}")
    print(f"{'':<14} {'seconds':>8} {'x pool':>7} {'start-up s':>11}")
    for way, (seconds, startup) in best.items():
        print(f"{way:<14} {seconds:>8.2f} {seconds / best['process pool'][0]:>7.2f} {startup:>11.1f}")


if __name__ == "__main__":
    main()
