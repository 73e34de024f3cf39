"""Plain values, as JSON files hold them, as typed records.

    record = typed(RunRecord, {"started": 1.5, "cpus": 2})      # a dataclass, or any annotation

A field that is missing, unknown or of another type is a ValueError that names it.
"""

import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

Record = TypeVar("Record")
Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number that is neither infinite nor NaN."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
"""How many of something."""


def typed(kind: type[Record], values: Any) -> Record:
    """The values as a record of this kind. Nothing is converted, but whole numbers are floats too."""
    if is_dataclass(kind) and isinstance(values, dict):
        unknown = values.keys() - {item.name for item in fields(kind)}
        if unknown:
            msg = f"unknown field {min(unknown)!r}"
            raise ValueError(msg)
    adapter = _adapter(kind)  # type: ignore[arg-type]  # a type is hashable
    try:
        return cast("Record", adapter.validate_json(json.dumps(values), strict=True))
    except ValidationError as error:
        raise ValueError("; ".join(_problem(item) for item in error.errors()[:3])) from None


def _problem(item: ErrorDetails) -> str:
    place, what = ".".join(map(str, item["loc"])), f"{item['msg'][0].lower()}{item['msg'][1:]}"
    if item["type"] == "missing":
        return f"no field {place!r}"
    return f"{place}: {what}" if place else what


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def json_bytes(value: Any) -> bytes:
    """JSON with sorted keys, so that equal values give equal files."""
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
