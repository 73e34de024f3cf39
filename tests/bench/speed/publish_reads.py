"""What the publish pass moves between the workers and an object store: bytes and requests of each step.

    python -m tests.bench.speed.publish_reads                # 60 staging files of 5 minutes with audio

The store is in memory. A file that is opened is read as `s3fs` does, in ranges of at least 5 MiB after a HEAD; ranges
that are asked for by their places are what they are. The staging rows are synthetic, with texts, words, embeddings and
FLAC of noise; everything after them is the real publish pass, in one process and without tokenizers.
"""

import argparse
from collections import Counter
from typing import Any, ClassVar

import fsspec
import numpy as np
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.plan import Plan, Todo, extend_plan
from curation.manifests.records import Recording, Segment, Source
from curation.manifests.staging import BatchName, commit
from curation.pipeline.config import load_config
from curation.pipeline.job import Progress
from curation.pipeline.run import build
from tests.bench.speed.bookkeeping import LENGTH, STRIDE, synthetic_segment

RECORDINGS_PER_FILE = 8
SEGMENTS_PER_RECORDING = 6
NOISE = (0.03 * np.random.default_rng(0).standard_normal(LENGTH)).astype(np.float32)


class MeteredFile(AbstractBufferedFile):
    """Open for reading; each range that is fetched is counted."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        self.fs.count("GET", end - start)
        return bytes(self.fs.store[self.path].getvalue()[start:end])


class MeteredFileSystem(MemoryFileSystem):
    """Files at `metered://`; counts requests by the step of the build, their kind, and bytes."""

    protocol = "metered"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    step: ClassVar[str] = "write"
    requests: ClassVar[Counter[tuple[str, str]]] = Counter()
    read: ClassVar[Counter[str]] = Counter()

    @classmethod
    def count(cls, kind: str, size: int = 0) -> None:
        cls.requests[cls.step, kind] += 1
        cls.read[cls.step] += size

    def info(self, path: str, **options: Any) -> Any:
        self.count("HEAD")
        return super().info(path, **options)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode != "rb":
            return super()._open(path, mode, **options)
        return MeteredFile(self, path, mode, cache_type="readahead", block_size=5 * 2**20)

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        path = self._strip_protocol(path)
        if path not in self.store:
            raise FileNotFoundError(path)
        content = bytes(self.store[path].getvalue()[start:end])
        self.count("GET", len(content))
        return content

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        self.count("PUT")
        super().pipe_file(path, value, mode=mode, **options)

    def put_file(self, lpath: str, rpath: str, *arguments: Any, **options: Any) -> None:
        self.count("PUT")
        super().put_file(lpath, rpath, *arguments, **options)


fsspec.register_implementation("metered", MeteredFileSystem, clobber=True)


def write_staging(out: Storage, files: int) -> int:
    """A labelled build with so many staging files; returns the seconds of all segments."""
    sources = [Source(f"r{number:08d}", "/data/r.wav") for number in range(files * RECORDINGS_PER_FILE)]
    extend_plan(out, Plan(out), map(Todo, sources), unit_files=RECORDINGS_PER_FILE, unit_bytes=1)
    for unit in range(files):
        mine = sources[unit * RECORDINGS_PER_FILE :][:RECORDINGS_PER_FILE]
        commit(out, BatchName(unit, 0, last=True), [_recording(source) for source in mine], StageTimes(), audio=True)
    return files * RECORDINGS_PER_FILE * SEGMENTS_PER_RECORDING * LENGTH // SAMPLE_RATE


def _recording(source: Source) -> Recording:
    segments: list[Segment] = [synthetic_segment(number) for number in range(SEGMENTS_PER_RECORDING)]
    for number, segment in enumerate(segments):
        segment.audio = np.roll(NOISE, number)
    return Recording(source, num_samples=SEGMENTS_PER_RECORDING * STRIDE, segments=segments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--audio", action="store_true", help="publish the audio too")
    arguments = parser.parse_args()
    out = Storage("metered:///out")
    seconds = write_staging(out, arguments.files)
    stored = Counter[str]()
    for path, file in MeteredFileSystem.store.items():
        stored[path.split("/")[-2]] += len(file.getvalue())
    parts = ", ".join(f"{size / 2**20:.2f} MiB in {name}/" for name, size in sorted(stored.items()))
    print(f"{arguments.files} batches, {seconds / 3600:.2f} h of segments: {parts}", flush=True)

    def at(progress: Progress) -> None:
        MeteredFileSystem.step = progress.step

    MeteredFileSystem.step = "begin"
    overrides = ["engine.runtime=in-process", "tokenize=null", f"publish.audio={str(arguments.audio).lower()}"]
    build(load_config(overrides=overrides), [], out.root, on_progress=at)
    print(f"{'step':<8} {'MiB read':>9} {'GET':>6} {'HEAD':>6} {'PUT':>6}   requests per batch")
    for step in ("judge", "ledger", "shards"):
        number = [MeteredFileSystem.requests[step, kind] for kind in ("GET", "HEAD", "PUT")]
        mib = MeteredFileSystem.read[step] / 2**20
        each = sum(number) / arguments.files
        print(f"{step:<8} {mib:>9.2f} {number[0]:>6} {number[1]:>6} {number[2]:>6}   {each:.1f}")


if __name__ == "__main__":
    main()
