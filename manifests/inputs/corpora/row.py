"""A row of a corpus, and its text files."""

import gzip
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curation.core.errors import ConfigError
from curation.manifests.inputs.tables import is_manifest, rows_of

GZIP = ".gz"


@dataclass(frozen=True, slots=True)
class Row:
    """What a file says of one recording, or of a part of one."""

    file: str
    number: int
    """Of the row, from 1."""
    folder: str
    """To which its path is relative."""
    values: Mapping[str, Any]
    """By the columns of manifests (`rows.ManifestRow`); others are passed through."""

    @property
    def where(self) -> str:
        """The place to look at, for messages."""
        return place(self.file, self.number)


def place(file: str, number: int) -> str:
    """A row, for messages."""
    return f"{file}, row {number}"


def lines(fs: Any, path: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines of a file that are not empty. Raises ConfigError where one is not UTF-8."""
    with fs.open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode().rstrip("\r\n")
            except UnicodeDecodeError as error:
                msg = f"{place(path, number)}: it is not UTF-8 ({error.reason}): save the file as UTF-8"
                raise ConfigError(msg) from error
            if text.strip():
                yield number, text


def json_rows(fs: Any, path: str) -> Iterator[Row]:
    """The rows of a manifest of any kind, packed by gzip or not; their paths are relative to its folder."""
    name = path.removesuffix(GZIP)
    if fs.isdir(path) or not is_manifest(name):
        msg = f"{path} is no file .jsonl, .json, .csv, .tsv or .parquet: name one"
        raise ConfigError(msg)
    with fs.open(path, "rb") as file:
        opened: Any = file if path == name else gzip.GzipFile(fileobj=file)
        for number, values in rows_of(opened, name):
            yield Row(path, number, posixpath.dirname(path), values)


def files_below(fs: Any, folder: str, *suffixes: str) -> list[str]:
    """The files with one of these endings in a folder and those below it, sorted; hidden ones are left out."""
    found = sorted(path for path in fs.find(folder) if path.endswith(suffixes))
    return [path for path in found if "/." not in f"/{path.removeprefix(folder).strip('/')}"]
