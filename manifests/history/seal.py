"""JSON records that show any change of a byte: the last thing that is written into one is its own hash.

It is no signature: who can write the file can seal it again.
"""

import hashlib
import json
from typing import Any

from curation.core.errors import DataError
from curation.core.records import json_bytes

FIELD = "sealed"
"""Hexadecimal SHA-256 of the record without this field, as `json_bytes` writes it."""


def sealed(values: dict[str, Any]) -> bytes:
    """The bytes of a record."""
    return json_bytes({**values, FIELD: _hash(values)})


def check_seal(content: bytes, where: str) -> dict[str, Any]:
    """The values of a record. Raises DataError, which names `where`, if a byte was changed since it was sealed."""
    try:
        values = json.loads(content)
        said = values.pop(FIELD)
        whole = sealed(values) == content
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        said, whole, values = "", False, {}
    if not whole or said != _hash(values):
        msg = f"{where} was changed after it was written"
        raise DataError(msg)
    return dict(values)


def _hash(values: dict[str, Any]) -> str:
    return hashlib.sha256(json_bytes(values)).hexdigest()
