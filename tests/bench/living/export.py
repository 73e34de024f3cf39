"""What an export takes: CPU seconds and memory of each format, for corpora of two sizes.

    python -m tests.bench.living.export                # 10,000 and 100,000 utterances of 0.25 s, audio in the shards

The rows are synthetic, with FLAC of noise; every export runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.audio.flac import encode_flac
from curation.core.storage import Storage
from curation.export.run import FORMATS, Options, export
from curation.manifests.schemas import SHARDS
from tests.bench.living.peak import peak_mib
from tests.support.audit.segments import segment_table
from tests.support.builds import toy_build, write_recordings

SECONDS, SHARD_ROWS, ROW_GROUP = 0.25, 5_000, 512


def write_corpus(folder: Path, count: int) -> Path:
    """A corpus of so many utterances, 5,000 in a shard."""
    out = folder / f"corpus-{count}"
    toy_build(write_recordings(folder / "in", ["alpha"]), out)
    storage, index = Storage(str(out)), json.loads((out / "shards/_index.json").read_text())
    noise = 0.1 * np.random.default_rng(0).standard_normal(round(SECONDS * 16_000))
    audio, schema, entries, names = encode_flac(noise.astype(np.float32)), segment_table().schema, [], []
    for first in range(0, count, SHARD_ROWS):
        rows = [_row(number, audio) for number in range(first, min(first + SHARD_ROWS, count))]
        name = f"part-{first:08d}.parquet"
        with storage.table_writer(f"shards/{name}", SHARDS, ROW_GROUP) as writer:
            writer.add(pa.Table.from_pylist(rows, schema=SHARDS))
        judged = [{**{key: row[key] for key in row if key in schema.names}, "status": "kept"} for row in rows]
        storage.write_table(f"segments/{name}", pa.Table.from_pylist(judged, schema=schema))
        entries.append({**index["shards"][0], "file": name, "rows": len(rows), "seconds": SECONDS * len(rows)})
        names.append(name)
    storage.write_json("shards/_index.json", {**index, "shards": entries, "segments": names})
    return out


def _row(number: int, audio: bytes) -> dict[str, Any]:
    place = {"recording_id": f"r{number // 100:06d}", "start": 0.0, "end": SECONDS, "seconds": SECONDS}
    text = "so it is said that nobody measured this before"
    return {"id": f"r-{number:010d}", **place, "speaker": "s", "language": "en", "text": text, "audio": audio}


def measured(kind: str, corpus: str) -> None:
    """Export in this process, and print CPU seconds, and MiB that it takes at most beyond what its imports take."""
    with tempfile.TemporaryDirectory() as folder:
        start, before = time.process_time(), peak_mib()
        export(kind, corpus, f"{folder}/out", Options(shard_hours=2.0))
        print(f"{time.process_time() - start:.1f} {peak_mib() - before:.0f}")


def main() -> None:
    """Print a row for each format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--formats", nargs="*", default=[name for name in FORMATS if name != "energon"])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measured(*arguments.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        corpora = [write_corpus(Path(folder), count) for count in arguments.counts]
        print("| format |" + "".join(f" CPU s, {count:,} | MiB |" for count in arguments.counts))
        print("|---|" + "---|---|" * len(corpora))
        for kind in arguments.formats:
            found = []
            for corpus in corpora:
                command = [sys.executable, "-m", "tests.bench.living.export", "--one", kind, str(corpus)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found += done.stdout.split()
            print(f"| `{kind}` | " + " | ".join(found) + " |", flush=True)


if __name__ == "__main__":
    main()
