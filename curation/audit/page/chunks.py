"""Files of data that a page may load from file://: scripts that hand base64 of gzipped JSON to a function.

A browser lets no page read local files, but it runs scripts beside it. The alphabet of base64 cannot end the string.
"""

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from typing import Any

MAX_BYTES = 5_000_000
"""Of one file."""
_RAW_BYTES = 8_000_000
"""Of JSON that is compressed at once; it falls below `MAX_BYTES` unless it is noise, and is halved then."""


def script(name: str, values: Any) -> bytes:
    """The content of a file that gives the values to `AUDIT.take(name, …)`."""
    return _wrapped(name, _packed(_json(values)))


def row_scripts(rows: Iterable[Any]) -> Iterator[bytes]:
    """The rows in files of at most `MAX_BYTES`, in order; a single row may be larger."""
    part: list[bytes] = []
    size = 0
    for row in rows:
        encoded = _json(row)
        if part and size + len(encoded) > _RAW_BYTES:
            yield from _split(part)
            part, size = [], 0
        part.append(encoded)
        size += len(encoded) + 1
    if part:
        yield from _split(part)


def _split(rows: list[bytes]) -> Iterator[bytes]:
    packed = _wrapped("rows", _packed(b"[" + b",".join(rows) + b"]"))
    if len(packed) <= MAX_BYTES or len(rows) == 1:
        yield packed
        return
    middle = len(rows) // 2
    yield from _split(rows[:middle])
    yield from _split(rows[middle:])


def _json(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        errors="backslashreplace"
    )


def _packed(content: bytes) -> bytes:
    return base64.b64encode(gzip.compress(content, 6, mtime=0))


def _wrapped(name: str, packed: bytes) -> bytes:
    return b'AUDIT.take("' + name.encode() + b'","' + packed + b'");\n'
