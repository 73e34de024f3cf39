"""Questions about a corpus of ten million segments: seconds, CPU seconds and peak memory of each.

    python -m tests.bench.audit.questions                    # 10 million segments, in parts of 500,000

The segments are synthetic: scores at random, ten words and two hypotheses each; the thresholds are those of a preset.
Each question runs in a process of its own on two threads, with the start of Python and of its packages.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.manifests import ledger, schemas
from curation.manifests.columns.maps import nulls_for
from curation.manifests.index import FILE, ShardIndex
from curation.manifests.schemas import SHARD_HYPOTHESIS
from curation.manifests.segments import table as segments
from curation.manifests.segments.table import SegmentTable
from curation.pipeline.assemble import declared_scores
from curation.pipeline.config import load_config
from curation.pipeline.provenance import write_config
from curation.pipeline.rules import rules_of

PART = 500_000
WORDS = "one two three four five six seven eight nine ten"
HALVES = 5_000
"""Different halves of texts; each text has two."""
QUESTIONS = (
    ("why", "r0001234-0000000000-0000080000"),
    ("whatif", "--set", "consensus.max_pwer=0.10"),
    ("sample", "--reason", "consensus.max_pwer", "-n", "500"),
    ("sample", "-n", "500"),
    ("top", "speakers"),
    ("top", "languages"),
)


def write_corpus(out: Storage, count: int) -> None:
    """A published corpus of so many segments, without shards."""
    config = load_config(overrides=["tokenize=null"])
    table = SegmentTable(declared_scores(), rules_of(config))
    names = []
    for number, first in enumerate(range(0, count, PART)):
        names.append(ledger.file_name(number))
        if out.exists(f"{segments.FOLDER}/{names[-1]}"):
            continue  # of a run that was stopped
        with out.table_writer(f"{ledger.FOLDER}/{names[-1]}", schemas.LEDGER, ledger.ROW_GROUP_ROWS):
            pass
        with out.table_writer(f"{segments.FOLDER}/{names[-1]}", table.schema, segments.ROW_GROUP_ROWS) as writer:
            for start in range(first, min(first + PART, count), 50_000):
                writer.add(rows(table, start, 50_000))
    index = ShardIndex([], ledger=names, segments=names, rules=table.described_rules())
    out.write_json(FILE, index.to_json())
    write_config(out, config)


def rows(table: SegmentTable, start: int, count: int) -> pa.Table:
    """Segments of recordings of 20 each."""
    draw = np.random.default_rng(start)
    number = np.arange(start, start + count)
    begin, length = number % 20 * 5 * SAMPLE_RATE, draw.integers(SAMPLE_RATE, 5 * SAMPLE_RATE, count)
    length[::20] = 5 * SAMPLE_RATE
    scores = {name: draw.random(count) for name in table.by_column}
    scores |= {"systems": draw.integers(1, 5, count).astype(float), "words": draw.integers(0, 30, count).astype(float)}
    scores |= {"pwer": draw.beta(1, 6, count)}
    scores["pwer"][::17] = np.nan
    recording = np.char.add("r", np.char.zfill((number // 20).astype(str), 7))
    ids = [f"{r}-{b:010d}-{b + n:010d}" for r, b, n in zip(recording, begin, length, strict=True)]
    columns = {
        **judged(table, scores, count),
        **{name: nulls_for(values) for name, values in scores.items()},
        "id": pa.array(ids),
        "recording_id": pa.array(recording),
        "path": pa.array(recording),
        "start": begin / SAMPLE_RATE,
        "end": (begin + length) / SAMPLE_RATE,
        "seconds": length / SAMPLE_RATE,
        "speaker": pa.array(np.char.add("s", (draw.zipf(1.3, count) % 100_000).astype(str))),
        "language": pa.array(np.array(["en", "de", "zh", "fr"])[draw.integers(0, 4, count)]),
        **texts(draw, count),
        "cps": nulls_for(draw.random(count)),
    }
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in table.schema]
    return pa.table(
        [
            pa.array(a, f.type) if isinstance(a, np.ndarray) else a.cast(f.type)
            for a, f in zip(arrays, table.schema, strict=True)
        ],
        schema=table.schema,
    )


def texts(draw: np.random.Generator, count: int) -> dict[str, pa.Array]:
    """Ten words each, and what two systems have heard: one the text, the other half of the time another second half."""
    words = np.random.default_rng(0).choice(WORDS.split(), (HALVES, 5))
    halves = pa.array([" ".join(row) for row in words])
    first, second, other = draw.integers(0, HALVES, (3, count))
    other = np.where(draw.random(count) < 0.5, second, other)
    text, heard = (pc.binary_join_element_wise(halves.take(first), halves.take(last), " ") for last in (second, other))
    both = pa.concat_arrays([text, heard]).take(np.arange(2 * count).reshape(2, count).T.ravel())
    known = {
        "text": both,
        "system": pa.array(["whisper", "parakeet"] * count),
        "confidence": pa.array(draw.random(2 * count)),
    }
    items = pa.StructArray.from_arrays(
        [known.get(field.name, pa.nulls(2 * count, field.type)).cast(field.type) for field in SHARD_HYPOTHESIS],
        fields=list(SHARD_HYPOTHESIS),
    )
    outlier = np.where(second != other, "parakeet", None)
    lists = pa.ListArray.from_arrays(np.arange(0, 2 * count + 1, 2, dtype=np.int32), items)
    return {"text": text, "hypotheses": lists, "outlier": pa.array(outlier, pa.string())}


def judged(table: SegmentTable, scores: dict[str, np.ndarray], count: int) -> dict[str, pa.Array]:
    """The verdicts of `manifests.verdicts.judge`, without making maps of so many scores."""
    broken, missing = np.zeros(count, np.uint32), np.zeros(count, np.uint32)
    status, reason = np.full(count, "kept", "<U8"), np.full(count, "", "<U40")
    for rule in table.described_rules():
        values, bit = scores[rule["column"]], np.uint32(1 << rule["bit"])
        hit, absent = table.rules[rule["bit"]].broken_by(values), np.isnan(values)
        first = (status == "kept") & (hit | absent & rule["required"])
        status[first], reason[first] = np.where(absent[first], "failed", "rejected"), rule["field"]
        broken[hit] |= bit
        missing[absent] |= bit
    found = {"status": pa.array(status), "rules_broken": pa.array(broken), "rules_missing": pa.array(missing)}
    return {**found, "reason": pa.array(reason, mask=status == "kept")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=10_000_000)
    parser.add_argument("--folder", help="where the corpus is, or is left; a temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = Storage(arguments.folder or temporary)
        if not out.exists(FILE):
            write_corpus(out, arguments.segments)
        size = sum(path.stat().st_size for path in Path(out.root, segments.FOLDER).iterdir())
        print(f"{arguments.segments:,} segments, {size / 1e6:,.0f} MB", flush=True)
        for name, *options in QUESTIONS:
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-m", "curation", name, out.root, *options, "--json"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            peak = after.ru_maxrss / 2**20
            print(
                f"{' '.join((name, *options)):<50} {seconds:>6.1f} s {cpu:>6.1f} CPU s, peak {peak:.1f} GiB", flush=True
            )


if __name__ == "__main__":
    main()
