"""Peak memory of a process that decodes, labels and commits a batch, by the seconds of audio in it.

    python -m tests.bench.speed.large_batch

Recordings of 36 s of noise bursts; stages without models, which keep the audio of utterances and no other, as those
with models do. What models take comes on top, and does not grow with the batch: it goes through the stages in groups of
300 s. Each size runs in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from curation.manifests.plan import Unit
from curation.manifests.records import Recording, Source
from curation.pipeline.config import BuildConfig, load_config
from curation.pipeline.job import Job
from curation.pipeline.label import Batch, BatchLabeller, UnitDecoder
from curation.stages.base import Stage
from curation.stages.loudness import Loudness
from tests.support.builds import write_recordings
from tests.support.toy import Cut, Hear

SIZES = (300.0, 900.0, 2700.0)
RECORDINGS, SECONDS = 75, 36.0


class CutAll(Cut):
    """Gives the audio of the span up, as diarization does."""

    def process(self, batch: Sequence[Recording]) -> None:
        super().process(batch)
        for recording in batch:
            recording.audio = recording.original = None


def stages(config: BuildConfig) -> list[Stage]:
    return [Loudness(config.loudness), CutAll(), Hear()]


def measure(folder: Path, seconds: float) -> None:
    """Label the recordings in one batch of at most so many seconds, and print the peak."""
    sources = [Source(path.stem, str(path)) for path in sorted(folder.glob("*.wav"))]
    with tempfile.TemporaryDirectory() as out:
        job = Job(load_config(overrides=["tokenize=null"]), out, "bench", stages)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        batch = next(iter(UnitDecoder(job).batches(Unit(0, sources, batch_seconds=seconds))))
        assert isinstance(batch, Batch)
        audio = batch.num_samples / 16_000
        BatchLabeller(job)(batch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{seconds:>6.0f} {len(batch.recordings):>10} {audio:>8.0f} {before:>11.0f} {peak:>9.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "SECONDS"), help="what a child process does")
    arguments = parser.parse_args()
    if arguments.measure:
        measure(Path(arguments.measure[0]), float(arguments.measure[1]))
        return
    print(f"{'most s':>6} {'recordings':>10} {'audio s':>8} {'before, MiB':>11} {'peak, MiB':>9}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write_recordings(Path(folder), [f"r{number:03d}" for number in range(RECORDINGS)], SECONDS)
        for seconds in SIZES:
            command = [sys.executable, "-m", "tests.bench.speed.large_batch", "--measure", folder, str(seconds)]
            subprocess.run(command, check=True, cwd=Path(__file__).parents[3])


if __name__ == "__main__":
    main()
