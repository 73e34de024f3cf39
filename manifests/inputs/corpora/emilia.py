"""Emilia: JSON lines in files below a folder, each row with `wav`, `text`, `speaker`, `language`."""

from collections.abc import Iterator
from typing import Any

from curation.core.errors import ConfigError
from curation.manifests.inputs.corpora.row import Row, files_below, json_rows

EXPECTS = "the folder of Emilia, with files *.jsonl beside their audio (unpack its tar files first)"

ID_MAP = "id_map.jsonl"
"""Of an export of ours: no corpus."""


def rows(fs: Any, path: str) -> Iterator[Row]:
    """A row for each line of each file."""
    files = [file for file in files_below(fs, path, ".jsonl") if not file.endswith(f"/{ID_MAP}")]
    if not fs.isdir(path) or not files:
        msg = f"emilia:{path} has no *.jsonl: name {EXPECTS}"
        raise ConfigError(msg)
    for file in files:
        for row in json_rows(fs, file):
            missing = [name for name in ("wav", "text") if not isinstance(row.values.get(name), str)]
            if missing:
                msg = f"{row.where}: no {missing[0]}: name {EXPECTS}"
                raise ConfigError(msg)
            values = dict(row.values)
            more = {"path": values.pop("wav"), "transcript": values.pop("text"), "utterance": values.pop("id", None)}
            yield Row(file, row.number, row.folder, {**values, **more})
