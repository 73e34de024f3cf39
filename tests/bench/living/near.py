"""What it costs to look for near duplicates among many utterances: CPU seconds, memory, and bytes on disk.

    python -m tests.bench.living.near --size 1000000

Codes are drawn (62 an utterance, as of 5 s, of 4,096 with a few that are frequent); one in a hundred is a copy of an
earlier utterance, with one code in ten changed. Voices are not the same, letters are. Words (13 an utterance) are drawn
as often as they are in English, by Zipf's law; copies have the same ones at the same times but for 10 ms.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.dedup.find import Alike, Limits
from curation.dedup.likeness import likeness
from curation.dedup.search import COLUMNS, Search, Sketching

CODES = 62
KINDS = 4096
WORDS = 13
VOCABULARY = 30_000
ROWS = 10_000
"""That are made at once."""


def utterances(size: int, voices: int) -> Iterator[pa.Table]:
    """Rows as `Search` takes them; the last hundredth of each table are copies of its first rows.

    Each sentence is said by as many voices.
    """
    sentences = said(np.random.default_rng(size), size // voices) if voices > 1 else None
    for start in range(0, size, ROWS):
        draw, count = np.random.default_rng(start), min(ROWS, size - start)
        codes = (KINDS * draw.random((count, CODES)) ** 2).astype(np.int32)
        copies = max(1, count // 100)
        changed = draw.random((copies, CODES)) < 0.1
        codes[-copies:] = np.where(changed, draw.integers(0, KINDS, (copies, CODES)), codes[:copies])
        voices = draw.standard_normal((count, 192)).astype(np.float32)
        voices[-copies:] = voices[:copies]
        voices /= np.linalg.norm(voices, axis=1, keepdims=True)
        names = [f"recording-{(start + row) // 20:07d}" for row in range(count)]
        ids = [f"{name}-{row:010d}" for row, name in enumerate(names)]
        codes_, voices_ = listed(codes), listed(voices)
        texts = ["the same words"] * count
        words = said(draw, count) if sentences is None else sentences[draw.integers(0, len(sentences), count)]
        words[-copies:] = words[:copies]
        times = np.cumsum(draw.uniform(0.05, 0.3, (count, 2 * WORDS)), axis=1).astype(np.float32)
        times[-copies:] = times[:copies] + draw.normal(0, 0.01, (copies, 2 * WORDS))
        columns = [names, ids, np.full(count, 5.0), codes_, voices_, texts, listed(words), listed(times)]
        yield pa.table(columns, names=COLUMNS)


def listed(values: np.ndarray) -> pa.ListArray:
    found = pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])
    return found.cast(pa.list_(found.type.value_type))


def said(draw: np.random.Generator, count: int) -> np.ndarray:
    """(count, WORDS): words as frequent as in English, the n-th 1 / n of the first."""
    shares = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    return np.searchsorted(shares, draw.random((count, WORDS)) * shares[-1]).astype(np.int32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--voices", type=int, default=1, help="that say each sentence")
    chosen, start = parser.parse_args(), time.process_time()
    size = chosen.size
    with Search(Sketching()) as search:
        for rows in utterances(size, chosen.voices):
            search.add(rows)
        added = time.process_time() - start
        alike, compared = Alike(), 0
        for one, two in search.pairs(Limits().voice):
            compared += 1
            if Limits().met_by(found := likeness(one, two)):
                alike.add(one.place, two.place, found)
        disk = sum(path.stat().st_size for path in Path(search.folder).iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent = time.process_time() - start
    print(f"{size:,} utterances: {added:.0f} + {spent - added:.0f} CPU s, {peak:.2f} GiB, {disk / 2**30:.2f} on disk")
    print(f"{compared:,} pairs compared, {alike.pairs:,} alike of {size // 100:,} copies")


if __name__ == "__main__":
    main()
