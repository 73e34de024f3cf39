"""Shards without a build: rows of `schemas.SHARDS` with random tokens, and an index, as publishing writes them."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.storage import Storage
from curation.manifests import index as index_file
from curation.manifests import schemas, shards
from curation.manifests.history import chain
from curation.manifests.index import Generation, ShardEntry, ShardIndex
from curation.pipeline.writers import ShardTally
from curation.tokenize.vocabulary import make_vocabulary

SIZES = {"glm": 20, "global_": 9, "semantic": 30}
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero"]


def vocabulary():
    """Plain bytes as text ids, and all codes of the synthetic shards."""
    return make_vocabulary(**SIZES)


def utterance(number: int, *, speakers: int = 3, texts: int = 7, long: int = 20) -> dict[str, Any]:
    """A row that depends on its number alone: up to `long` semantic codes, a quarter as many glm codes."""
    generator = np.random.default_rng([number, 99])
    length = int(generator.integers(4, long + 1))
    text = int(generator.integers(texts))
    return {
        "id": f"utt-{number:05d}",
        "speaker": f"speaker-{int(generator.integers(speakers))}",
        "language": "en",
        "text": f"{WORDS[text % 10].title()}, {WORDS[text // 10 % 10]}.",
        "seconds": length / 50,
        "glm": generator.integers(SIZES["glm"], size=length // 4).tolist(),
        "semantic": generator.integers(SIZES["semantic"], size=length).tolist(),
        "global": generator.integers(SIZES["global_"], size=4).tolist(),
    }


def tokenizers(fingerprint: str = "f" * 64) -> dict[str, Any]:
    """What an index says of the tokenizers."""
    codec = {"semantic_size": SIZES["semantic"], "global_size": SIZES["global_"], "num_global": 4}
    return {"fingerprint": fingerprint, "glm": {"size": SIZES["glm"]}, "bicodec": codec}


def grown(folder: str, rows: list[dict[str, Any]]) -> str:
    """Append rows to the shards of a build as one more generation, in a shard of its own; returns the folder."""
    out = Storage(folder)
    old = index_file.read_index(out)
    if not old.generations:
        old = replace(old, generations=[Generation(1, "build")])
        out.write_json(chain.file_name(1), old.to_json())
    number = old.edition + 1
    name = shards.file_name(0, 1, number)
    with out.table_writer(f"{shards.FOLDER}/{name}", schemas.SHARDS, old.row_group_rows) as writer:
        writer.add(pa.Table.from_pylist(rows, schema=schemas.SHARDS))
    entry = ShardEntry(name, len(rows), writer.sha256)
    step = Generation(number, "append", rewrites=False)
    new = replace(old, shards=[*old.shards, entry], edition=number, generations=[*old.generations, step])
    for file in (chain.file_name(number), index_file.FILE):
        out.write_json(file, new.to_json())
    return folder


def write_shards(
    folder: Path | str, rows: list[dict[str, Any]], *, shard_rows: int = 10, group_rows: int = 4, **index: Any
) -> str:
    """Write `rows` as the shards of a build; returns its folder."""
    out = Storage(str(folder))
    parts = [rows[start : start + shard_rows] for start in range(0, len(rows), shard_rows)]
    entries = []
    for number, part in enumerate(parts):
        table = pa.Table.from_pylist(part, schema=schemas.SHARDS)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, row_group_size=group_rows)
        content = sink.getvalue().to_pybytes()
        name = shards.file_name(number, len(parts))
        out.write_bytes(f"{shards.FOLDER}/{name}", content)
        tally = ShardTally()
        tally.add(table)
        entries.append(tally.entry(name, len(content), hashlib.sha256(content).hexdigest()))
    settings = {"row_group_rows": group_rows, "tokenizers": tokenizers(), **index}
    out.write_json(index_file.FILE, ShardIndex(entries, **settings).to_json())
    return str(folder)
