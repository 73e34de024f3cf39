"""Segments that no build has made: rows of the table `segments`, with what they need to be a corpus."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.core.storage import Storage
from curation.manifests import ledger
from curation.manifests.index import FILE, FORMAT_VERSION
from curation.manifests.schemas import LEDGER
from curation.manifests.segments.table import FOLDER, SegmentTable
from curation.pipeline.assemble import declared_scores
from curation.pipeline.config import load_config
from curation.pipeline.rules import rules_of


def segment_table() -> SegmentTable:
    """Of a build with the default settings."""
    return SegmentTable(declared_scores(), rules_of(load_config()))


def write_segments(out: Path, rows: list[dict[str, Any]], part: int = 0) -> None:
    """Write the rows as one more file of the corpus; what they lack is null."""
    table, storage, name = segment_table(), Storage(str(out)), f"part-{part:06d}-v99.parquet"
    storage.write_table(f"{FOLDER}/{name}", pa.Table.from_pylist(rows, schema=table.schema))
    if not storage.exists(FILE):
        storage.write_table(f"{ledger.FOLDER}/{name}", LEDGER.empty_table())
        index = {"format": FORMAT_VERSION, "shards": [], "ledger": [name], "rules": table.described_rules()}
        storage.write_json(FILE, index)
    index = json.loads(storage.read_bytes(FILE))
    storage.write_json(FILE, {**index, "segments": [*index.get("segments", []), name]})
