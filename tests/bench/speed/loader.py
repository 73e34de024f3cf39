"""Tokens per second of the loader by itself, and how full its rows are.

python -m tests.bench.speed.loader [--rows 40000] [--seconds 15] [--need 2000] [SHARDS]

`--need` is what a trainer takes, tokens per second; the loader should be ten times as fast

Without SHARDS it writes synthetic ones: utterances of 1-20 s with 12.5 + 50 tokens a second, 32 global tokens, 12
characters of text a second, 40 speakers, text of 1024 BPE pieces.
"""

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from curation.tokenize.vocabulary import Vocabulary
from curation.train.data.blocks import Blocks
from curation.train.data.config import DataConfig
from curation.train.data.corpus import open_corpus, vocabulary_for
from curation.train.data.loader import PackedLoader
from tests.support.synthetic import write_shards

SIZES = {"glm": {"size": 2048}, "bicodec": {"semantic_size": 8192, "global_size": 4096, "num_global": 32}}
LETTERS = np.array(list("etaoinshrdlu   "))


def utterance(number: int) -> dict[str, Any]:
    """One row of realistic size."""
    generator = np.random.default_rng([7, number])
    seconds = float(generator.uniform(1, 20))
    text = "".join(generator.choice(LETTERS, round(12 * seconds)))
    return {
        "id": f"utt-{number:08d}",
        "speaker": f"speaker-{number // 50 % 40}",
        "language": "en",
        "text": text,
        "seconds": seconds,
        "glm": generator.integers(2048, size=round(12.5 * seconds)).tolist(),
        "semantic": generator.integers(8192, size=round(50 * seconds)).tolist(),
        "global": generator.integers(4096, size=32).tolist(),
    }


def measure(shards: str, name: str, seconds: float, need: float | None, **options: Any) -> list[str]:
    """One row of the table: the loader for `seconds`, after its first batches."""
    config = DataConfig(**options.pop("config", {}))
    loader = PackedLoader(open_corpus(shards), options.pop("vocabulary"), config, **options)
    start = time.perf_counter()
    rows = iter(loader)
    next(rows)
    first = time.perf_counter() - start
    for _ in range(config.lanes):  # each lane reads its first block
        next(rows)
    before, cpu, begin = loader.counts.tokens, time.process_time(), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        next(rows)
    wall, used = time.perf_counter() - begin, time.process_time() - cpu
    tokens = loader.counts.tokens - before
    rows.close()
    per_cpu = f"{tokens / used:,.0f}" if not options.get("num_workers") else ""
    times = f"{tokens / wall / need:,.0f}" if need else ""
    return [name, f"{tokens / wall:,.0f}", times, per_cpu, f"{loader.counts.efficiency:.1%}", f"{first:.2f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", nargs="?")
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--workers", type=int, default=0, help="also with this many worker processes")
    parser.add_argument("--need", type=float, help="tokens/s of the trainer, to compare with")
    args = parser.parse_args()
    table = Table("loader", "tokens/s", "times need", "tokens per CPU second", "rows full", "first row after, s")
    with tempfile.TemporaryDirectory() as folder:
        shards = args.shards or write_shards(
            Path(folder), [utterance(i) for i in range(args.rows)], shard_rows=5000, group_rows=512, **_index()
        )
        common: dict[str, Any] = {"vocabulary": vocabulary_for(open_corpus(shards), 1024)}
        table.add_row(*measure(shards, "in a thread (prefetch 32)", args.seconds, args.need, **common))
        table.add_row(*measure(shards, "no prefetch", args.seconds, args.need, config={"prefetch": 0}, **common))
        table.add_row(*measure(shards, "rank 0 of 4, 24 lanes", args.seconds, args.need, world=4, **common))
        table.add_row(*measure(shards, "rank 0 of 5, 24 lanes", args.seconds, args.need, world=5, **common))
        table.add_row(
            *measure(shards, "rows of 32,768", args.seconds, args.need, config={"token_budget": 32_768}, **common)
        )
        if args.workers:
            name = f"{args.workers} worker processes"
            table.add_row(*measure(shards, name, args.seconds, args.need, num_workers=args.workers, **common))
        block = _block_mib(shards, common["vocabulary"])
    console = Console(width=120)
    console.print(table)
    console.print(f"a block of 2048 utterances holds {block:.1f} MiB; a rank holds one or two for each lane it reads")


def _block_mib(shards: str, vocabulary: Vocabulary) -> float:
    """MiB of a block: what Python and NumPy allocate."""
    blocks = Blocks(open_corpus(shards), vocabulary, DataConfig(), "pretrain")
    tracemalloc.start()
    block = blocks.read(0)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / 2**20 * 2048 / len(block.utterances)


def _index() -> dict[str, Any]:
    return {"tokenizers": {"fingerprint": "0" * 64, **SIZES}}


if __name__ == "__main__":
    main()
