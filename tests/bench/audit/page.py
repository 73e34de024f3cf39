"""`curation audit` on a corpus of ten million segments: seconds, CPU seconds, peak memory, and what the page weighs.

    python -m tests.bench.audit.page                    # 10 million segments, in parts of 500,000

The corpus is that of `tests.bench.audit.questions`, with a summary. The page is silent; it is opened in Chromium, which
says when the first figures are there and when all rows are.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import SAMPLES, Corpus
from curation.core.storage import Storage
from curation.manifests.index import FILE
from curation.manifests.summary import FILE as SUMMARY
from curation.manifests.summary import Line, Summary
from tests.bench.audit.questions import write_corpus
from tests.support.audit.browser import Browser

PAINTED = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"


def write_summary(out: Storage) -> None:
    """A summary of as many hours as the segments have, and one more of non-speech."""
    found = Corpus.open(out.root).database.execute(
        f"SELECT status, coalesce(reason, ''), count(*), sum({SAMPLES})::BIGINT FROM segments GROUP BY ALL ORDER BY ALL"
    )
    lines = [Line("non_speech", "", 1, 3600.0)]
    lines += [Line(status, reason, count, n / SAMPLE_RATE) for status, reason, count, n in found.fetchall()]
    tokens = {"glm": 0, "semantic": 0, "global": 0}
    seconds = sum(line.seconds for line in lines)
    out.write_json(SUMMARY, Summary(1, 0, seconds, lines, 0, 0, 0.0, tokens, 0, {}).to_json())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=10_000_000)
    parser.add_argument("--folder", help="where the corpus is, or is left; a temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out, page = Storage(arguments.folder or temporary), Path(temporary, "page")
        if not out.exists(FILE):
            write_corpus(out, arguments.segments)
        if not out.exists(SUMMARY):
            write_summary(out)
        start = time.perf_counter()
        command = [sys.executable, "-m", "curation", "audit", out.root, "-o", str(page), "--audio", "none", "--json"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        written = json.loads(done.stdout)
        print(
            f"{arguments.segments:,} segments: {seconds:.1f} s, {used.ru_utime + used.ru_stime:.1f} CPU s, "
            f"peak {used.ru_maxrss / 2**20:.1f} GiB; {written['rows']:,} rows, {written['bytes'] / 1e6:.1f} MB"
        )
        with Browser() as browser:
            start = time.perf_counter()
            browser.open(page)
            ready = time.perf_counter() - start
            print(f"first paint after {browser.run(PAINTED) / 1000:.2f} s, all rows after {ready:.2f} s")


if __name__ == "__main__":
    main()
