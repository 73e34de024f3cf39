"""LibriSpeech: `SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt`, a line for each recording beside it."""

import posixpath
from collections.abc import Iterator
from typing import Any

from curation.core.errors import ConfigError
from curation.manifests.inputs.corpora.row import Row, files_below, lines, place

EXPECTS = "the folder of LibriSpeech, or a folder in it, with files *.trans.txt"
ENDING = ".trans.txt"


def rows(fs: Any, path: str) -> Iterator[Row]:
    """A row for each line of each transcript."""
    files = files_below(fs, path, ENDING) if fs.isdir(path) else []
    if not files:
        msg = f"librispeech:{path} has no transcripts: name {EXPECTS}"
        raise ConfigError(msg)
    for file in files:
        for number, line in lines(fs, file):
            name, _, text = line.partition(" ")
            if name.count("-") != 2 or "/" in name or not text.strip():
                msg = f"{place(file, number)}: expected SPEAKER-CHAPTER-NUMBER and a text, found {line[:80]!r}"
                raise ConfigError(msg)
            speaker = name.partition("-")[0]
            values = {"path": f"{name}.flac", "transcript": text, "speaker": speaker, "language": "en"}
            yield Row(file, number, posixpath.dirname(file), values)
