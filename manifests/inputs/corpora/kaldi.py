"""A directory of Kaldi: wav.scp, and segments, text, utt2spk and utt2lang where they are there.

Its tables are sorted by id, as Kaldi wants them, and are read beside each other. Paths are relative to the directory.
Commands in wav.scp are refused: nobody knows what they do.
"""

import heapq
import itertools
import re
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from curation.core.errors import ConfigError
from curation.manifests.inputs.corpora.row import Row, lines, place

EXPECTS = "a directory of Kaldi, with wav.scp"
MEND = "mend the directory with Kaldi's utils/fix_data_dir.sh"
COLUMNS = {"text": "transcript", "utt2spk": "speaker", "utt2lang": "language"}
"""Of manifests, by table."""
OPTIONAL_TEXT = frozenset({"text"})
"""Tables whose lines may end after the id."""
_PART = re.compile(r".*:\d+(\[.*\])?")
"""A place in an archive."""
Entry = tuple[str, str, int, str]
"""Id, table, line, and what follows the id."""


def rows(fs: Any, path: str) -> Iterator[Row]:
    """A row for each utterance: of segments if there are any, else of wav.scp."""
    folder = path.rstrip("/")
    if not fs.exists(f"{folder}/wav.scp"):
        msg = f"kaldi:{path} has no wav.scp: name {EXPECTS}"
        raise ConfigError(msg)
    has_segments = fs.exists(f"{folder}/segments")
    files = {key: _path(f"{folder}/wav.scp", number, value) for key, _, number, value in _table(fs, folder, "wav.scp")}
    main = "segments" if has_segments else "wav.scp"
    tables = [_table(fs, folder, name) for name in (main, *COLUMNS) if fs.exists(f"{folder}/{name}")]
    for key, entries in itertools.groupby(heapq.merge(*tables, key=itemgetter(0)), key=itemgetter(0)):
        found = {table: (number, value) for _, table, number, value in entries}
        if main not in found:
            table, (number, _) = next(iter(found.items()))
            msg = f"{place(f'{folder}/{table}', number)}: {key} is not in {main}: {MEND}"
            raise ConfigError(msg)
        number, value = found[main]
        where = place(f"{folder}/{main}", number)
        part = _segment(where, value, files) if has_segments else {"path": files[key]}
        said = {COLUMNS[table]: text for table, (_, text) in found.items() if table in COLUMNS}
        yield Row(f"{folder}/{main}", number, folder, {**part, **said, "utterance": key})


def _table(fs: Any, folder: str, name: str) -> Iterator[Entry]:
    """The lines of a table. Raises ConfigError where they are not sorted as LC_ALL=C sorts, or one has no value."""
    before = ""
    for number, line in lines(fs, f"{folder}/{name}"):
        key, value = [*line.split(maxsplit=1), ""][:2]
        if (not value and name not in OPTIONAL_TEXT) or line[0].isspace():
            msg = f"{place(f'{folder}/{name}', number)}: expected an id and what belongs to it, found {line[:80]!r}"
            raise ConfigError(msg)
        if number > 1 and key <= before:  # code points are in the order of the bytes of UTF-8
            msg = f"{place(f'{folder}/{name}', number)}: {key} comes after {before}: sort it with LC_ALL=C, or {MEND}"
            raise ConfigError(msg)
        before = key
        yield key, name, number, value.strip()


def _path(file: str, number: int, value: str) -> str:
    if value.startswith("|") or value.endswith("|"):
        msg = f"{place(file, number)}: a command, which is not run: write its output to a file, and name that"
        raise ConfigError(msg)
    if value == "-" or _PART.fullmatch(value):
        msg = f"{place(file, number)}: {value} is no file of audio: write the recordings out with Kaldi's wav-copy"
        raise ConfigError(msg)
    return value


def _segment(where: str, value: str, files: dict[str, str]) -> dict[str, Any]:
    """Path, offset and duration of a line of segments."""
    try:
        recording, start, end = value.split()
        begin, stop = float(start), float(end)
    except ValueError as error:
        msg = f"{where}: expected an utterance, a recording, start and end in seconds, found {value!r}"
        raise ConfigError(msg) from error
    if recording not in files:
        msg = f"{where}: {recording} is not in wav.scp: {MEND}"
        raise ConfigError(msg)
    if stop != -1 and not 0 <= begin < stop:
        msg = f"{where}: it ends at {end} s and starts at {start} s: {MEND}"
        raise ConfigError(msg)
    length = {} if stop == -1 else {"duration": round(stop - begin, 9)}
    return {"path": files[recording], "offset": begin, **length}
