"""How publish, ledger and summary grow with the number of segments: time and peak memory of each.

    python -m tests.bench.speed.bookkeeping                  # 10,000, 100,000 and 1,000,000 segments

The staging rows are synthetic (two hypotheses, ten words, tokens of 5 s of speech each); everything after them is the
real publish pass, in one process. Each size runs in a process of its own, so that peak memory is its own too.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests import schemas, tokens
from curation.manifests.plan import Plan, Todo, extend_plan
from curation.manifests.records import Hypothesis, Recording, Segment, Source, Word
from curation.manifests.staging import BatchName, commit, segment_id
from curation.pipeline.config import load_config
from curation.pipeline.run import build
from curation.tokenize.pair import load_tokenizers

SEGMENTS_PER_RECORDING = 50
RECORDINGS_PER_UNIT = 16
LENGTH, STRIDE = 5 * SAMPLE_RATE, 6 * SAMPLE_RATE


def synthetic_segment(number: int) -> Segment:
    """A segment with everything but audio; a tenth disagree too much, a tenth look cut."""
    start = number * STRIDE
    words = [Word(f"word{index}", start + index * 8000, start + index * 8000 + 6000, 0.9) for index in range(10)]
    text = " ".join(word.text for word in words)
    return Segment(
        start,
        start + LENGTH,
        speaker=f"S{number % 2}",
        language="en",
        text=text,
        words=words,
        hypotheses=[Hypothesis("a", text, "en", 0.9), Hypothesis("b", text, "en", 0.8)],
        scores={
            "boundary.cut": 0.99 if number % 10 == 3 else 0.0,
            "pwer": 0.3 if number % 10 == 7 else 0.05,
            "confidence": 0.9,
            "text.words": 10.0,
            "transcribe.systems": 2.0,
        },
        speaker_embedding=np.full(192, 192**-0.5, dtype=np.float32),
    )


def unit_recordings(unit: int) -> list[Recording]:
    """Labelled recordings of one unit."""
    made = []
    for number in range(RECORDINGS_PER_UNIT):
        source = Source(f"r{unit * RECORDINGS_PER_UNIT + number:08d}", f"/data/r{number}.wav")
        segments = [synthetic_segment(index) for index in range(SEGMENTS_PER_RECORDING)]
        made.append(Recording(source, num_samples=SEGMENTS_PER_RECORDING * STRIDE, segments=segments))
    return made


def token_rows(recordings: Iterable[Recording], seed: int) -> Iterator[dict]:
    """Tokens for every segment of these recordings."""
    generator = np.random.default_rng(seed)
    for recording in recordings:
        for segment in recording.segments:
            yield {
                "id": segment_id(recording.source.id, segment.start, segment.end),
                "glm": generator.integers(0, 16384, 63),
                "semantic": generator.integers(0, 8192, 249),
                "global": generator.integers(0, 4096, 32),
                "error": "",
            }


def write_staging(out: Storage, segments: int, fingerprint: str) -> None:
    """A labelled build with so many segments."""
    units = segments // (SEGMENTS_PER_RECORDING * RECORDINGS_PER_UNIT) or 1
    todo = (Todo(Source(f"r{number:08d}", "r.wav")) for number in range(units * RECORDINGS_PER_UNIT))
    extend_plan(out, Plan(out), todo, unit_files=RECORDINGS_PER_UNIT, unit_bytes=1)
    for unit in range(units):
        recordings, name = unit_recordings(unit), BatchName(unit, 0, last=True)
        commit(out, name, recordings, StageTimes(), audio=False)
        made = pa.Table.from_pylist(list(token_rows(recordings, unit)), schema=schemas.TOKENS)
        out.write_table(tokens.file_name(name, fingerprint), made)


def measure(folder: str) -> None:
    """Publish what `write_staging` left in `folder`, and print time and peak memory."""
    config = load_config(overrides=["engine.runtime=in-process"])
    start = time.perf_counter()
    summary = build(config, [], folder)
    seconds = time.perf_counter() - start
    judged = sum(line.count for line in summary.lines if line.status != "non_speech")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{judged:>10,} {summary.utterances:>10,} {seconds:>8.1f} {1e6 * seconds / judged:>14.0f} {peak:>9.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--measure", help="a folder with staging rows")
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure)
        return
    print(f"{'segments':>10} {'kept':>10} {'seconds':>8} {'us per segment':>14} {'peak GiB':>9}", flush=True)
    tokenizers = load_tokenizers(load_config().tokenize)
    assert tokenizers is not None
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_staging(Storage(folder), size, tokenizers.fingerprint)
            command = [sys.executable, "-m", "tests.bench.speed.bookkeeping", "--measure", folder]
            subprocess.run(command, check=True, cwd=Path(__file__).parents[3])


if __name__ == "__main__":
    main()
