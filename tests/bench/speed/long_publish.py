"""Publishing a recording of many hours with its audio: peak memory of each kind of process.

    python -m tests.bench.speed.long_publish --hours 24          # 288 spans of 5 minutes, in one process and on Ray
    python -m tests.bench.speed.long_publish --spans 9           # in batches of 2700 s, as of ten million recordings

The staging rows are synthetic: an utterance of 5 s every 6 s, with texts, words, embeddings and FLAC of noise. The
publish pass is the real one, without tokenizers. In one process, the peak is the operating system's own figure. On Ray,
resident memory without the pages of Ray's object store is sampled from outside every 0.2 s.
"""

import argparse
import resource
import sys
import tempfile
import time

import numpy as np

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.plan import Plan, Todo, extend_plan
from curation.manifests.records import Recording, Source
from curation.manifests.staging import BatchName, commit
from curation.pipeline.config import load_config
from curation.pipeline.run import build
from tests.bench.speed.bookkeeping import LENGTH, STRIDE, synthetic_segment
from tests.bench.speed.long_recording import peak_memory

SPAN_SECONDS = 300
SEGMENTS = SPAN_SECONDS * SAMPLE_RATE // STRIDE
NOISE = (0.03 * np.random.default_rng(0).standard_normal(LENGTH)).astype(np.float32)


def write_staging(out: Storage, spans: int, in_batch: int) -> None:
    """A labelled build of one recording, in batches of so many spans."""
    source = Source("long", "/data/long.wav")
    extend_plan(out, Plan(out), [Todo(source)], unit_files=1, unit_bytes=1)
    batch: list[Recording] = []
    for number in range(spans):
        segments = [synthetic_segment(index) for index in range(number * SEGMENTS, (number + 1) * SEGMENTS)]
        for index, segment in enumerate(segments):
            segment.audio = np.roll(NOISE, index)
        length = SPAN_SECONDS * SAMPLE_RATE
        last = number == spans - 1
        span = Recording(source, span=number, offset=number * length, num_samples=length, last=last, segments=segments)
        batch.append(span)
        if last or len(batch) == in_batch:
            commit(out, BatchName(0, number // in_batch, last), batch, StageTimes(), audio=True)
            batch.clear()


def publish(folder: str, runtime: str) -> None:
    """Publish what `write_staging` left in `folder`, and print what is kept, time, and the peak of this process."""
    overrides = [f"engine.runtime={runtime}", "tokenize=null", "publish.audio=true", "publish.shard_hours=10"]
    start = time.perf_counter()
    summary = build(load_config(overrides=overrides), [], folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{runtime}: {summary.kept_seconds / 3600:.1f} h kept in {seconds:.0f} s, peak {peak:.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--spans", type=int, default=1, help="in a batch")
    parser.add_argument("--publish", nargs=2, metavar=("FOLDER", "RUNTIME"), help="what a child process does")
    arguments = parser.parse_args()
    if arguments.publish:
        publish(*arguments.publish)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_staging(Storage(folder), round(arguments.hours * 3600 / SPAN_SECONDS), arguments.spans)
        for runtime in ("in-process", "ray"):
            peaks = peak_memory([sys.executable, "-m", "tests.bench.speed.long_publish", "--publish", folder, runtime])
            for name, gib in sorted(peaks.items()):
                print(f"  {name:<40} {gib * 1024:>6.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
