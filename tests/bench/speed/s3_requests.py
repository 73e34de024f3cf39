"""Requests that a build makes of an S3 server (moto's, in this process), for listing, labelling and publishing.

    python -m tests.bench.speed.s3_requests --files 1000

Inputs are one second of noise each, and the stages are toys: what is counted is the way through the store. Seconds are
those of moto on this machine, which answers about 50 requests each second, and say nothing of S3.
"""

import argparse
import io
import os
import time
from collections import Counter
from itertools import pairwise

import fsspec
import numpy as np
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.pipeline.config import load_config
from curation.pipeline.job import Progress
from curation.pipeline.run import build
from tests.support.faults.s3 import S3Server, s3_server
from tests.support.toy import toy_stages

KINDS = ("HEAD", "GET", "PUT", "LIST", "DELETE", "POST")


def write_inputs(server: S3Server, files: int) -> str:
    """A bucket with this many recordings in it."""
    bucket, chance = server.bucket("inputs"), np.random.default_rng(0)
    content = io.BytesIO()
    soundfile.write(content, 0.3 * chance.standard_normal(SAMPLE_RATE), SAMPLE_RATE, format="WAV")
    fs = fsspec.filesystem("s3")
    fs.pipe({f"{bucket}/in/{number:06d}.wav": content.getvalue() for number in range(files)})
    return bucket


def measure(server: S3Server, files: int) -> None:
    """Print a line for each step of a build."""
    bucket = write_inputs(server, files)
    config = load_config(overrides=["tokenize=null", "engine.runtime=in-process"])
    marks = [("list and plan", len(server.requests), time.perf_counter())]

    def on_progress(progress: Progress) -> None:
        if progress.step != marks[-1][0]:
            marks.append((progress.step, len(server.requests), time.perf_counter()))

    build(config, [f"{bucket}/in"], f"{bucket}/out", make_stages=toy_stages, on_progress=on_progress)
    marks.append(("", len(server.requests), time.perf_counter()))
    print(f"requests for each 1,000 of {files} files, by step\n| step | {' | '.join(KINDS)} | seconds |")
    print("|---|" + "---|" * (len(KINDS) + 1))
    for (step, first, start), (_, last, end) in pairwise(marks):
        counts = Counter(request.kind for request in server.requests[first:last])
        cells = " | ".join(f"{counts[kind] * 1000 / files:.0f}" for kind in KINDS)
        print(f"| {step} | {cells} | {end - start:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    arguments = parser.parse_args()
    with s3_server() as server:
        os.environ.update(server.environment)
        measure(server, arguments.files)


if __name__ == "__main__":
    main()
