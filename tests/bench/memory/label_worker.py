"""What holds the memory of a label worker: after its imports, each stage's models, and each stage of a batch.

    python -m tests.bench.memory.label_worker [--seconds 300] [--set KEY=VALUE ...]

The stages of the preset `offline` with their models, in one process as in a worker of the pool `label`, on dense real
speech in spans of 30 s. *Now* is the resident memory after the step without what is shared, *peak* the most within it.
"""

import argparse
import gc
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from curation.audio.wave import SAMPLE_RATE
from curation.core.machine import give_back_memory
from curation.manifests.plan import Unit
from curation.manifests.records import Source
from curation.pipeline.assemble import worker_needs
from curation.pipeline.config import load_config
from curation.pipeline.guard.watchdog import private_bytes
from curation.pipeline.job import Job
from curation.pipeline.label import UnitDecoder
from curation.stages.base import run_stage
from tests.bench.speed.long_recording import write_long

MIB = 2**20
LOOK_SECONDS = 0.01


class Memory:
    """Resident memory of this process, looked at a hundred times a second."""

    def __init__(self) -> None:
        self._process, self.peak = psutil.Process(), 0
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self) -> int:
        """Bytes."""
        return private_bytes(self._process)

    def step(self, name: str, action: Callable[[], object]) -> None:
        """Print a line of the table for an action."""
        before = self.peak = self.now()
        begun = time.process_time()
        action()
        now = self.now()
        peak = max(self.peak, now)
        cells = (
            f"{now / MIB:>7.0f} {(now - before) / MIB:>+7.0f} {peak / MIB:>7.0f} {time.process_time() - begun:>7.1f}"
        )
        print(f"{name:<28} {cells}", flush=True)

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(LOOK_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--batches", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    config = load_config(overrides=["tokenize=null", "decode.max_span_seconds=30", *arguments.overrides])
    memory = Memory()
    print(f"{'':<28} {'now':>7} {'more':>7} {'peak':>7} {'CPU s':>7}   MiB")
    memory.step("imports", lambda: None)
    with tempfile.TemporaryDirectory() as name:
        path = write_long(Path(name), arguments.batches * arguments.seconds / 3600, speech=0.9)
        job = Job(config, f"{name}/out", "bench")
        stages = job.make_stages(config)
        for stage in stages:
            memory.step(f"models of {stage.name}", stage.setup)
        last = [stage for stage in stages if stage.hears_spans][-1]
        unit = Unit(0, [Source("long", str(path))], batch_seconds=arguments.seconds)
        for number, batch in enumerate(UnitDecoder(job).batches(unit)):
            print(f"batch {number}: {batch.num_samples / SAMPLE_RATE:.0f} s in {len(batch.recordings)} spans")
            for stage in stages:
                memory.step(f"  {stage.name}", lambda stage=stage, batch=batch: run_stage(stage, batch.recordings))
                give_back_memory()  # as workers do
                if stage is last:
                    for recording in batch.recordings:
                        recording.release()
            del batch
            memory.step("  given up", gc.collect)
    print(f"declared: {1024 * (worker_needs(config).memory_gib or 0.0):.0f} MiB")


if __name__ == "__main__":
    main()
