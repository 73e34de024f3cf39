"""Formats whose files are manifests as they are: NeMo's, and the tables of Common Voice, with what they must have.

A tarred manifest of NeMo names members of `audio_N.tar` beside it, which are read in place.
"""

import posixpath
from collections.abc import Iterator
from typing import Any

from curation.core.errors import ConfigError
from curation.manifests.inputs.corpora.row import Row, json_rows

NEMO, COMMON_VOICE = "a manifest of NeMo (*.json)", "a table of Common Voice (validated.tsv), beside its folder clips"


def nemo_rows(fs: Any, path: str) -> Iterator[Row]:
    """A row for each line."""
    for row in json_rows(fs, path):
        if not isinstance(row.values.get("audio_filepath"), str):
            msg = f"{row.where}: no audio_filepath: name {NEMO}"
            raise ConfigError(msg)
        yield row if "shard_id" not in row.values else _in_tar(fs, row)


def _in_tar(fs: Any, row: Row) -> Row:
    """A row of a tarred manifest: the member of its tar file."""
    values = dict(row.values)
    shard, name = values.pop("shard_id"), values["audio_filepath"]
    tar = posixpath.join(row.folder, f"audio_{shard}.tar")
    if not isinstance(shard, int) or not fs.exists(tar):
        msg = f"{row.where}: {tar} is not there: put the tar files beside the manifest, or unpack them"
        raise ConfigError(msg)
    return Row(
        row.file, row.number, row.folder, {**values, "audio_filepath": f"tar://{name}::{fs.unstrip_protocol(tar)}"}
    )


def common_voice_rows(fs: Any, path: str) -> Iterator[Row]:
    """A row for each line; recordings are in `clips`."""
    for row in json_rows(fs, path):
        missing = [name for name in ("client_id", "path", "sentence") if name not in row.values]
        if missing:
            msg = f"{row.where}: no column {missing[0]}: name {COMMON_VOICE}"
            raise ConfigError(msg)
        yield Row(row.file, row.number, posixpath.join(row.folder, "clips"), row.values)
