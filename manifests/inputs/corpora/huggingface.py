"""A local data set of Hugging Face: Parquet files with a column of audio, or audio files with `metadata.csv`.

Audio that is inside of the Parquet files is read there; where a row group has only paths, they name files, from the
folder of the Parquet file on. Nothing is downloaded, and no script of a data set is run.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import ConfigError
from curation.core.stores.embedded import PROTOCOL
from curation.manifests.inputs.corpora.row import Row, files_below, json_rows
from curation.manifests.inputs.tables import plain_row

EXPECTS = (
    "the folder of a data set on this machine, with *.parquet that have a column of audio, or with metadata.csv or "
    "metadata.jsonl; download it first (`hf download --repo-type dataset NAME --local-dir FOLDER`)"
)
METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
AUDIO = frozenset({"bytes", "path"})
TEXTS = ("text", "sentence", "transcription", "transcript", "normalized_text")
"""Columns of texts by the names that data sets give them; the first that there is becomes the transcript."""
RESERVED = frozenset({"path", "audio_filepath", "audio", "id", "offset", "duration", "track", "channel", *TEXTS})
"""Columns that mean something in a manifest: those of a data set are carried through with `hf_` before their names."""


def rows(fs: Any, path: str) -> Iterator[Row]:
    """A row for each recording."""
    if not fs.isdir(path):
        msg = f"hf:{path} is no folder: name {EXPECTS}"
        raise ConfigError(msg)
    metadata = files_below(fs, path, *(f"/{name}" for name in METADATA))
    tables = [] if metadata else files_below(fs, path, ".parquet")
    if not metadata and not tables:
        msg = f"hf:{path} has neither *.parquet nor metadata: name {EXPECTS}"
        raise ConfigError(msg)
    for file in metadata:
        yield from _metadata(fs, file)
    for file in tables:
        yield from _table(fs, file)


def _metadata(fs: Any, file: str) -> Iterator[Row]:
    for row in json_rows(fs, file):
        values = dict(row.values)
        if not isinstance(values.get("file_name"), str):
            msg = f"{row.where}: no file_name: name {EXPECTS}"
            raise ConfigError(msg)
        yield Row(file, row.number, row.folder, {"path": values.pop("file_name"), **_said(values)})


def _table(fs: Any, file: str) -> Iterator[Row]:
    """The rows of a Parquet file, of whose audio only the paths are read."""
    with fs.open(file, "rb") as opened:
        table = pq.ParquetFile(pa.PythonFile(opened, mode="r"))
        column = _audio_column(table.schema_arrow, file)
        plain = [item.name for item in table.schema_arrow if not pa.types.is_nested(item.type) and item.name != column]
        number, folder = 0, file.rpartition("/")[0]
        for group in range(table.num_row_groups):
            found = table.read_row_group(group, columns=[*plain, f"{column}.path"])
            has_only_paths = _is_null(table.metadata.row_group(group), f"{column}.bytes")
            for place, values in enumerate(found.to_pylist()):
                number += 1
                named = (values.pop(column, None) or {}).get("path")
                path = f"{PROTOCOL}://{column}/{group}/{place}::{fs.unstrip_protocol(file)}"
                if has_only_paths and named:
                    path = named
                yield Row(file, number, folder, {"path": path, **_said(plain_row(values, number))})


def _is_null(group: pq.RowGroupMetaData, column: str) -> bool:
    """Whether a column of a row group has no value, as its statistics say."""
    found = next(item for item in map(group.column, range(group.num_columns)) if item.path_in_schema == column)
    return bool(found.statistics and found.statistics.has_null_count and found.statistics.null_count == group.num_rows)


def _audio_column(schema: pa.Schema, file: str) -> str:
    """The column of audio. Raises ConfigError where there is none, or several."""
    found = [
        item.name for item in schema if pa.types.is_struct(item.type) and {field.name for field in item.type} == AUDIO
    ]
    if len(found) != 1:
        msg = f"{file}: {len(found)} columns of audio (bytes and path), expected one: name {EXPECTS}"
        raise ConfigError(msg)
    return str(found[0])


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """The values by the columns of manifests. Those that mean something else there get another name."""
    text = next((name for name in TEXTS if values.get(name)), None)
    said = {"transcript": values.pop(text)} if text else {}
    return {**said, **{f"hf_{name}" if name in RESERVED else name: value for name, value in values.items()}}
