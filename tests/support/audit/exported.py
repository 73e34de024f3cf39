"""Corpora that no build has made, for exports: rows of shards and segments beside a real index."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.audio.flac import encode_flac
from curation.core.storage import Storage
from curation.manifests.schemas import SHARDS
from tests.support.audit.segments import segment_table

# ruff: noqa: RUF001, S108 - attacks, not paths

HOSTILE = {
    "dots": ("a.b.c", "dots. in. text."),
    "slashes": ("../../etc/passwd", "a/b"),
    "absolute": ("/tmp/owned", "absolute"),
    "spaces": ("with blank and\ttab", "  many   blanks  "),
    "shell": ("x;touch owned|$(touch owned)`touch owned`", "; rm -rf / #"),
    "quotes": ("\"'\\", "\"quoted\" 'text' \\"),
    "newlines": ("two\nlines\r\n", "first line\nsecond + line\r\nthird\u2028fourth"),
    "control": ("nul\\0\x01\x7f", "con\x01trol"),
    "right-to-left": ("\u202egnp.flac", "שלום \u202eעולם"),
    "sub": ("talk-sub1", "NeMo takes -sub for a repetition"),
    "option": ("-rf", "begins with a dash"),
    "dot": (".", "one dot"),
    "parent": ("..", "two dots"),
    "long": ("x" * 400, "a long name"),
    "empty": ("", "no name"),
    "unicode": ("東京-ü", "你好，世界。"),
    "made": ("id-x" + "0" * 32, "looks like a name of ours"),
}
"""Ids and speakers, and texts."""


def wave(number: int, seconds: float = 0.25) -> np.ndarray:
    """Noise, different for each number."""
    noise = np.random.default_rng(number).standard_normal(round(seconds * 16_000))
    return (0.1 * noise).astype(np.float32)


def write_rows(built: Path, out: Path, rows: list[dict[str, Any]]) -> Path:
    """A copy of a build with these utterances (of a quarter second, with their audio) in place of its own."""
    shutil.copytree(built, out)
    storage, index = Storage(str(out)), json.loads((out / "shards/_index.json").read_text())
    whole = [
        {
            "recording_id": "r",
            "start": 0.0,
            "end": 0.25,
            "seconds": 0.25,
            "language": "en",
            "audio": encode_flac(wave(number)),
            **row,
        }
        for number, row in enumerate(rows)
    ]
    storage.write_table("shards/part-x.parquet", pa.Table.from_pylist(whole, schema=SHARDS))
    schema = segment_table().schema
    judged = [
        {**{name: row[name] for name in row if name in schema.names}, "status": "kept", "scores": []} for row in whole
    ]
    storage.write_table("segments/part-x.parquet", pa.Table.from_pylist(judged, schema=schema))
    entry = {**index["shards"][0], "file": "part-x.parquet", "rows": len(rows), "seconds": 0.25 * len(rows)}
    storage.write_json("shards/_index.json", {**index, "shards": [entry], "segments": ["part-x.parquet"]})
    return out


def hostile_rows() -> list[dict[str, Any]]:
    """An utterance for each of `HOSTILE`."""
    return [{"id": name, "speaker": name, "text": text} for name, text in sorted(HOSTILE.values())]
