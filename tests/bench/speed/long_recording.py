"""A recording of many hours through the whole default build: peak memory of each kind of worker.

    python -m tests.bench.speed.long_recording --hours 10 [--speech 0.25] [--engine-only]

The recording is made of real speech (a reading, a telephone dialogue, LibriVox sentences) with pauses of faint noise
between, `--speech` of it being speech, and stored as FLAC. Resident memory, without the pages of Ray's object store
that are mapped into every worker, is sampled from outside every 0.2 s.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import psutil
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.demo.recordings import write_demo_recordings
from curation.pipeline.guard.watchdog import private_bytes
from tests.bench.speed.overhead import by_engine
from tests.support.real_speech import wave

GIB = 2**30


def write_long(folder: Path, hours: float, speech: float) -> Path:
    """The recording, written in pieces; deterministic."""
    paths = sorted(write_demo_recordings(folder / "parts"))
    parts = [wave(f"path:{path}") for path in paths if "derived" not in path.name]
    random = np.random.default_rng(0)
    target = folder / "long.flac"
    wanted = round(hours * 3600 * SAMPLE_RATE)
    written = 0
    with soundfile.SoundFile(target, "w", SAMPLE_RATE, 1, subtype="PCM_16", format="FLAC") as file:
        while written < wanted:
            part = parts[int(random.integers(len(parts)))]
            pause = 1e-4 * random.standard_normal(round(len(part) * (1 / speech - 1)))
            for piece in (part, pause):
                file.write(piece[: wanted - written])
                written += min(len(piece), wanted - written)
    return target


def peak_memory(command: list[str]) -> dict[str, float]:
    """Run the command; peak resident GiB of one process, for each kind of process that it starts."""
    peaks: dict[str, float] = defaultdict(float)
    process = psutil.Popen(command)
    while process.poll() is None:
        for member in [process, *_children(process)]:
            try:
                name = member.cmdline()[0].split("/")[-1] if member.cmdline() else member.name()
                peaks[name] = max(peaks[name], private_bytes(member) / GIB)
            except psutil.Error:
                continue
        time.sleep(0.2)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return dict(peaks)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = process.children(recursive=True)
    except psutil.Error:
        return []
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--speech", type=float, default=0.25)
    parser.add_argument("--output", help="keep the build here")
    parser.add_argument("--engine-only", action="store_true", help="decode, loudness and publish, without models")
    parser.add_argument("--child", nargs=2, metavar=("IN", "OUT"), help="what the measured process does")
    arguments = parser.parse_args()
    if arguments.child:
        by_engine("ray", Path(arguments.child[0]), Path(arguments.child[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        recording = write_long(Path(name), arguments.hours, arguments.speech)
        output = arguments.output or f"{name}/out"
        command = [sys.executable, "-m", "curation", "build", str(recording), "-o", output]
        if arguments.engine_only:
            command = [sys.executable, "-m", "tests.bench.speed.long_recording", "--child", str(recording), output]
        else:
            command += ["--set", "engine.max_worker_gib=2"]
        peaks = peak_memory(command)
    print(f"{arguments.hours:g} h of audio, {arguments.speech:.0%} of it speech; peak resident memory of one process")
    for kind, peak in sorted(peaks.items(), key=lambda item: -item[1]):
        if kind.startswith(("ray::", "python")):
            print(f"{peak:>8.2f} GiB  {kind}")


if __name__ == "__main__":
    main()
