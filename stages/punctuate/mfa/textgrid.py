"""Reads word times from the output of Montreal Forced Aligner: TextGrid (long or short), JSON or CSV.

A TextGrid is read as by Praat (manual, "TextGrid file formats"): only free-standing numbers, strings in double quotes
and <flags> count, everything else is ignored. So the long and the short format are read alike.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.stages.punctuate.word_times import Timed

SILENCES = frozenset({"", "<eps>", "<sil>", "sil"})
"""Labels between words, in all formats of Montreal Forced Aligner."""
TIER = "words"
SPEAKER_TIER = " - words"
"""End of the tier's name in files with several speakers."""
VALUE = re.compile(
    r'"((?:[^"]|"")*)"|(?<!\S)([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?%?)(?!\S)|(?<!\S)<(\w+)>(?!\S)|![^\n]*'
)
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_words(path: Path) -> list[Timed]:
    """The words of a file in order of time, without silences. Raises ValueError that names the file."""
    readers = {".textgrid": _textgrid, ".json": _json, ".csv": _csv}
    try:
        read = readers[path.suffix.lower()]
    except KeyError:
        msg = f"{path}: expected a TextGrid, JSON or CSV file"
        raise ValueError(msg) from None
    try:
        words = [Timed(float(start), float(end), str(text).strip()) for start, end, text in read(_text(path))]
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError) as error:
        msg = f"{path}: not an alignment of Montreal Forced Aligner ({type(error).__name__}: {error})"
        raise ValueError(msg) from error
    words = sorted((word for word in words if word.text not in SILENCES), key=lambda word: (word.start, word.end))
    for word in words:
        if not (math.isfinite(word.start) and math.isfinite(word.end) and 0 <= word.start < word.end):
            msg = f"{path}: {word.text!r} has the times {word.start} to {word.end}"
            raise ValueError(msg)
    return words


def _text(path: Path) -> str:
    raw = path.read_bytes()
    return raw.decode("utf-16" if raw.startswith(UTF16) else "utf-8-sig")


def _is_words(name: str) -> bool:
    return name == TIER or name.endswith(SPEAKER_TIER)


def _textgrid(text: str) -> Iterator[tuple[float, float, str]]:
    values = _values(text)
    if (next(values), next(values)) != ("ooTextFile", "TextGrid"):
        msg = "the header of a text TextGrid is missing"
        raise ValueError(msg)
    _number(values), _number(values)  # start and end of the file
    if next(values) is not True:
        return
    for _ in range(int(_number(values))):
        kind, name = _string(values), _string(values)
        _number(values), _number(values)
        points = kind == "TextTier"
        for _ in range(int(_number(values))):
            start = _number(values)
            end = start if points else _number(values)
            label = _string(values)
            if _is_words(name) and not points:
                yield start, end, label


def _values(text: str) -> Iterator[str | float | bool]:
    for match in VALUE.finditer(text):
        string, number, flag = match.groups()
        if string is not None:
            yield string.replace('""', '"')
        elif number is not None:
            yield float(number.rstrip("%"))
        elif flag is not None:
            yield flag == "exists"
    msg = "the file ends too early"
    raise ValueError(msg)


def _number(values: Iterator[Any]) -> float:
    value = next(values)
    if not isinstance(value, float):
        msg = f"expected a number, found {value!r}"
        raise ValueError(msg)  # noqa: TRY004 - wrong content of a file
    return value


def _string(values: Iterator[Any]) -> str:
    value = next(values)
    if not isinstance(value, str):
        msg = f"expected a text in quotes, found {value!r}"
        raise ValueError(msg)  # noqa: TRY004 - wrong content of a file
    return value


def _json(text: str) -> Iterator[tuple[float, float, str]]:
    tiers = json.loads(text)["tiers"]
    named = tiers.items() if isinstance(tiers, dict) else [(tier["name"], tier) for tier in tiers]
    for name, tier in named:
        if _is_words(name):
            yield from tier["entries"]


def _csv(text: str) -> Iterator[tuple[Any, Any, str]]:
    rows = csv.DictReader(io.StringIO(text), strict=True)
    for row in rows:
        if row["Type"] == TIER:
            yield row["Begin"], row["End"], row["Label"]
