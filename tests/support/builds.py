"""Builds without models, for tests of the engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.pipeline.config import BuildConfig, load_config
from curation.pipeline.run import build
from tests.support.toy import toy_stages


def toy_config(runtime: str = "in-process", **engine: Any) -> BuildConfig:
    """The offline preset without tokenizers, in small batches; without compression, whose filters take two seconds to
    load in each process.
    """
    settings = {"runtime": runtime, "batch_seconds": 8, "unit_files": 3, **engine}
    overrides = [f"engine.{key}={value}" for key, value in settings.items()]
    return load_config(
        overrides=[
            "tokenize=null",
            "loudness.ratio=1",
            "decode.max_span_seconds=5",
            "decode.span_search_seconds=1",
            *overrides,
        ]
    )


def write_recordings(folder: Path, names: Sequence[str], seconds: float = 3.0) -> Path:
    """Bursts of noise and silence, different for each name; the same name gives the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        generator = np.random.default_rng([ord(letter) for letter in name])
        samples = round(seconds * SAMPLE_RATE * generator.uniform(0.5, 1.5))
        loud = np.repeat(generator.random(samples // 8000 + 1) < 0.7, 8000)[:samples]
        soundfile.write(folder / f"{name}.wav", 0.3 * loud * generator.standard_normal(samples), SAMPLE_RATE)
    return folder


def toy_build(folder: Path, out: Path, config: BuildConfig | None = None, **options: Any) -> Any:
    """Build with the toy stages."""
    return build(
        config or toy_config(), [str(folder)], str(out), make_stages=options.pop("make_stages", toy_stages), **options
    )


def table(out: Path, folder: str) -> pa.Table:
    """All Parquet files of a folder of the build as one table without metadata."""
    files = Storage(str(out))
    names = [f"{folder}/{name}" for name in files.names(folder) if name.endswith(".parquet")]
    return pa.concat_tables([files.read_table(name).replace_schema_metadata() for name in names])


def in_order(out: Path, folder: str) -> pa.Table:
    """The same, sorted by recording and time, whatever the files are; without where rows were labelled."""
    found = table(out, folder)
    start, end = ("start_sample", "end_sample") if folder == "ledger" else ("start", "end")
    moved = [name for name in ("staging_file", "staging_row") if name in found.column_names]
    return found.drop_columns(moved).sort_by([(name, "ascending") for name in ("recording_id", start, end)])


def rows(out: Path, folder: str) -> list[dict[str, Any]]:
    """The same as plain values, in the order of the files."""
    return list(table(out, folder).to_pylist())


def labelled_segments(out: Path) -> list[dict[str, Any]]:
    """All segments that were labelled, with what staging and speech say of each."""
    segments = [segment for row in rows(out, "staging") for segment in row["segments"]]
    return [{**segment, **speech} for segment, speech in zip(segments, rows(out, "speech"), strict=True)]


def seconds_by_recording(out: Path) -> dict[str, float]:
    """Seconds of each recording in the ledger."""
    grouped = table(out, "ledger").group_by("recording_id").aggregate([("seconds", "sum")])
    return dict(zip(grouped["recording_id"].to_pylist(), grouped["seconds_sum"].to_pylist(), strict=True))


def count(out: Path, status: str) -> int:
    """How many rows of the ledger have this status."""
    return int(pc.sum(pc.equal(table(out, "ledger")["status"], status)).as_py() or 0)
