"""CPU seconds and bytes of each step of the publish pass: what the ledger, the segments and the shards take.

    python -m tests.bench.audit.publish_steps                # 96,000 segments

The staging rows are those of `bookkeeping`: two hypotheses and ten words for 5 s of speech. The publish pass is the
real one, in one process and on one thread, without tokenizers.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa

from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.plan import Plan, Todo, extend_plan
from curation.manifests.records import Source
from curation.manifests.staging import BatchName, commit
from curation.pipeline.config import load_config
from curation.pipeline.job import Progress
from curation.pipeline.run import build
from tests.bench.speed.bookkeeping import RECORDINGS_PER_UNIT, SEGMENTS_PER_RECORDING, unit_recordings


def write_staging(out: Storage, units: int) -> None:
    """A labelled build of so many units of 800 segments."""
    todo = (Todo(Source(f"r{number:08d}", "r.wav")) for number in range(units * RECORDINGS_PER_UNIT))
    extend_plan(out, Plan(out), todo, unit_files=RECORDINGS_PER_UNIT, unit_bytes=1)
    for unit in range(units):
        commit(out, BatchName(unit, 0, last=True), unit_recordings(unit), StageTimes(), audio=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=120)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        write_staging(Storage(folder), arguments.units)
        spent: Counter[str] = Counter()
        last = [time.process_time()]

        def note(progress: Progress) -> None:
            now = time.process_time()
            spent[progress.step] += now - last[0]
            last[0] = now

        build(load_config(overrides=["engine.runtime=in-process", "tokenize=null"]), [], folder, on_progress=note)
        segments = arguments.units * RECORDINGS_PER_UNIT * SEGMENTS_PER_RECORDING
        for step, seconds in spent.items():
            print(f"{step:<10} {seconds:>6.1f} CPU s, {1e6 * seconds / segments:>5.0f} us for each of {segments:,}")
        for name in ("staging", "speech", "ledger", "segments", "shards"):
            size = sum(path.stat().st_size for path in Path(folder, name).glob("*.parquet"))
            print(f"{name:<10} {size / segments:>6.0f} bytes for each")


if __name__ == "__main__":
    main()
