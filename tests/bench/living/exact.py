"""What it costs to find recordings with the same samples: CPU seconds and memory of the driver of a publish pass.

    python -m tests.bench.living.exact --size 1000000

Drawn hashes, in tasks of 10,000 recordings as the publish pass adds them; one in a hundred is that of an earlier one.
"""

import argparse
import resource
import tempfile
import time
from contextlib import ExitStack

import numpy as np

from curation.core.storage import Storage
from curation.manifests.duplicates.exact import Content, Contents
from curation.manifests.plan import Plan

ROWS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000)
    size, start, draw = parser.parse_args().size, time.process_time(), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        contents, making = opened.enter_context(Contents(Plan(Storage(folder)))), 0.0
        for first in range(0, size, ROWS):
            before = time.process_time()
            hashes = [draw.bytes(32).hex() for _ in range(ROWS)]
            hashes[-ROWS // 100 :] = hashes[: ROWS // 100]
            rows = [Content(f"recording-{first + n:032x}", first // ROWS, one) for n, one in enumerate(hashes)]
            making += time.process_time() - before
            contents.add(rows)
        found = sum(1 for _ in contents.duplicates())
    spent = time.process_time() - start - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{size:,} recordings: {spent:.1f} CPU s, {peak:.2f} GiB at the peak, {found:,} duplicates")


if __name__ == "__main__":
    main()
