"""`curation audit` on a corpus of ten million segments: seconds, CPU seconds, peak memory, and what the page weighs.

    python -m tests.bench.audit.page --folder FOLDER         # FOLDER/a, 3.8 GB; made where it lacks

The corpus is that of `tests.bench.audit.corpora`, with a summary. The page is silent; it is opened in Chromium, which
says when the first figures are there and when all rows are.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import SAMPLES, Corpus
from curation.core.storage import Storage
from curation.manifests.summary import FILE as SUMMARY
from curation.manifests.summary import Line, Summary
from tests.bench.audit.measured import measured
from tests.bench.audit.questions import corpus
from tests.support.audit.browser import Browser, meta_of

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
    parser.add_argument("--folder", help="where the corpora are, or are left; a temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        page = Path(temporary, "page")
        one = corpus(arguments.folder or temporary, "a", arguments.segments)
        if not Storage(one).exists(SUMMARY):
            write_summary(Storage(one))
        took = measured("audit", one, "-o", str(page), "--audio", "none", "--json")
        written = json.loads(took.said)
        print(f"{arguments.segments:,} segments: {took}; {written['rows']:,} rows, {written['bytes'] / 1e6:.1f} MB")
        meta = meta_of(page)
        print(f"{len(meta['cube']['cells']['count']):,} cells, edges {[len(mine) for mine in meta['cube']['edges']]}")
        with Browser() as browser:
            start = time.perf_counter()
            browser.open(page)
            ready = time.perf_counter() - start
            print(f"first paint after {browser.run(PAINTED) / 1000:.2f} s, all rows after {ready:.2f} s")


if __name__ == "__main__":
    main()
