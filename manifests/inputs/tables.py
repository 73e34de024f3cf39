"""Reads the rows of a manifest: JSON lines, a JSON array, CSV, TSV or Parquet.

Nothing is guessed: a row that does not fit its format is an error that names it, before any work has begun.
"""

import csv
import json
import math
import posixpath
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import ConfigError

Row = tuple[int, dict[str, Any]]
"""Number of the row, from 1 (in JSON lines: of the line; in CSV and TSV: without the header), and its values by column.

Values are those of JSON; None, NaN, infinities and an empty field of CSV are None.
"""

FINITE = frozenset({"offset", "duration", "track", "channel"})
"""Columns in which an infinity is no missing value but an error: it would ask for another part of the file."""
CHUNK = 2**20
LONGEST_FIELD = 2**27
"""Characters of a field of CSV; the transcript of a day of speech has a million."""


class TableError(ValueError):
    """A manifest cannot be read; `number` is its row, 0 where it is the whole."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


def is_manifest(path: str) -> bool:
    """Whether a file is a manifest, by the suffix of its name."""
    return _suffix(path) in _READERS


def rows_of(file: BinaryIO, name: str) -> Iterator[Row]:
    """The rows of an open manifest, as they are read. Raises ConfigError, which names the manifest and the row."""
    suffix = _suffix(name)
    try:
        for number, values in _READERS[suffix](file):
            yield number, plain_row(values, number)
    except TableError as error:
        where = f"{name}, row {error.number}" if error.number else name
        msg = f"{where}: {error}"
        raise ConfigError(msg) from error
    except pa.ArrowException as error:
        msg = f"{name} cannot be read as {suffix[1:]}: {error}"
        raise ConfigError(msg) from error


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Number and text of each line. Only a line feed ends one: JSON may hold other separators of Unicode."""
    for number, line in enumerate(_byte_lines(file), start=1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            msg = f"it is not UTF-8 ({error.reason} at byte {error.start}): save the manifest as UTF-8"
            raise TableError(number, msg) from error


def _byte_lines(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _json_lines(file: BinaryIO) -> Iterator[Row]:
    for number, line in _lines(file):
        if line.strip():
            yield number, _object(_parsed(line, number), number)


def _json(file: BinaryIO) -> Iterator[Row]:
    """An array of objects, or JSON lines (NeMo gives them this suffix)."""
    start = file.read(CHUNK).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    if not start.startswith(b"["):
        yield from _json_lines(file)
        return
    text = "\n".join(line for _, line in _lines(file))
    for number, item in enumerate(_parsed(text, 0), start=1):
        yield number, _object(item, number)


def _parsed(text: str, number: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        reason = str(error)
        if number and isinstance(error, json.JSONDecodeError):
            reason = f"{error.msg} at column {error.colno}"
        msg = f"it is not JSON: {reason}"
        raise TableError(number, msg) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        msg = f"the key {repeated!r} stands twice"
        raise ValueError(msg)
    return values


def _object(value: Any, number: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f'expected an object such as {{"path": "talk.wav"}}, found {type(value).__name__}'
        raise TableError(number, msg)
    return value


def _csv(file: BinaryIO) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_FIELD)  # of the whole process, but only a larger one
    return _delimited(csv.reader((f"{line}\n" for _, line in _lines(file)), strict=True))


def _tsv(file: BinaryIO) -> Iterator[Row]:
    """A tab separates, a line feed ends, and nothing is quoted (as in Common Voice)."""
    return _delimited(line.removesuffix("\r").split("\t") if line.strip() else [] for _, line in _lines(file))


def _delimited(records: Iterable[list[str]]) -> Iterator[Row]:
    reader, number = iter(records), 0
    header: list[str] = []
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            msg = f"{error}: put a field with commas or quotes into quotes, and double the quotes in it"
            raise TableError(number, msg) from error
        if record is None:
            return
        if not record:
            continue  # an empty line
        if not header:
            header = _checked_header([name.strip() for name in record])
        else:
            yield number, _record(header, record, number)
        number += 1


def _checked_header(names: list[str]) -> list[str]:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        msg = f"the column {repeated[0]!r} stands twice in the header: rename one"
        raise TableError(0, msg)
    return names


def _record(header: list[str], fields: list[str], number: int) -> dict[str, Any]:
    if len(fields) != len(header):
        msg = (
            f"{len(fields)} fields where the header has {len(header)} ({', '.join(header)}): in CSV a field "
            f"with a comma stands in quotes, in TSV no field holds a tab"
        )
        raise TableError(number, msg)
    broken = next((name for name, value in zip(header, fields, strict=True) if "\n" in value), None)
    if broken is not None:
        msg = f"{broken}: a quote is not closed in its line, which would hide the rows that follow: close or double it"
        raise TableError(number, msg)
    return {name: value or None for name, value in zip(header, fields, strict=True)}


def _parquet(file: BinaryIO) -> Iterator[Row]:
    table = pq.ParquetFile(pa.PythonFile(file, mode="r"))
    _checked_header(table.schema_arrow.names)
    number = 0
    for batch in table.iter_batches(batch_size=10_000):
        for values in cast("list[dict[str, Any]]", batch.to_pylist()):
            number += 1
            yield number, values


def plain_row(values: dict[str, Any], number: int) -> dict[str, Any]:
    """The values of a row as JSON knows them. Raises TableError for a text that is none."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        if name in FINITE and isinstance(value, float) and math.isinf(value):
            msg = f"{name}: expected a number, found {value}"
            raise TableError(number, msg)
        try:
            plain[_plain(name)] = _plain(value)
        except UnicodeEncodeError as error:
            bad = ascii(error.object[error.start])
            msg = f"{ascii(name)[1:-1]}: {bad} is half of a character, which no text can hold: correct or remove it"
            raise TableError(number, msg) from error
    return plain


def _plain(value: Any) -> Any:
    """A value as JSON knows it. Raises UnicodeEncodeError for a text that is none."""
    if isinstance(value, str):
        value.encode()
        return value
    if isinstance(value, dict):
        return {_plain(str(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):  # Arrow gives maps as tuples
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, bytes):  # some writers of Parquet do not mark their texts as such
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, int) else str(value)


_READERS: dict[str, Callable[[BinaryIO], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
