"""The plan of a build: which recordings there are, and which unit of work each belongs to.

`plan/generation-000.parquet` is written before any work. Recordings that are new or have changed come in later
generations with higher unit numbers, and so do those of which stretches are tried again. Ids are sorted within a
generation, so that merging the generations gives all recordings in order.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import DataError
from curation.core.storage import Storage, damage_named
from curation.manifests import schemas
from curation.manifests.records import Source

FOLDER = "plan"
REMEDY = (
    "restore it from a copy; if it is of another version of this software, build with that one, or into another folder"
)
MIB = 2**20


Stretch = tuple[int, int]
"""First sample, and one past the last."""
RETRIES_KEY = "curation.retries"
"""Of a generation's metadata: the edition of the corpus whose failures it tries again."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Recordings that are read by one task, in order."""

    number: int
    sources: list[Source]
    stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    """What is tried again, by recording; one that is not named is labelled as a whole."""


@dataclass(frozen=True)
class Plan:
    """All generations, oldest first; each a table of `schemas.PLAN`."""

    generations: list[pa.Table]

    @property
    def num_units(self) -> int:
        """One more than the highest number of a unit: the number of the next."""
        return max((pc.max(table["unit"]).as_py() + 1 for table in self.generations if table.num_rows), default=0)

    @property
    def retried_edition(self) -> int:
        """The latest edition of the corpus whose failures were planned again; 0: none."""
        found = [(table.schema.metadata or {}).get(RETRIES_KEY.encode(), b"0") for table in self.generations]
        return max(map(int, found), default=0)

    def homes(self) -> dict[str, int]:
        """The unit that labels each recording as a whole: the latest that does."""
        return {identifier: unit for identifier, unit, is_retry in self._rows() if not is_retry}

    def retries(self) -> dict[str, list[int]]:
        """The units that try stretches of a recording again after its home."""
        homes, found = self.homes(), defaultdict[str, list[int]](list)
        for identifier, unit, is_retry in self._rows():
            if is_retry and unit > homes[identifier]:
                found[identifier].append(unit)
        return found

    def _rows(self) -> Iterator[tuple[str, int, bool]]:
        for table in self.generations:
            columns = (table["id"], table["unit"], pc.is_valid(table["stretches"]))
            yield from zip(*(column.to_pylist() for column in columns), strict=True)

    def sources(self) -> Iterator[Source]:
        """Every recording once, in the order of the generations, with its latest values."""
        latest = {row["id"]: row for table in self.generations for row in table.to_pylist()}
        yield from map(_source, latest.values())

    def units(self, numbers: Sequence[int]) -> Iterator[Unit]:
        """The units with these numbers, in order."""
        wanted = pa.array(sorted(numbers), pa.int32())
        for table in self.generations:
            part = table.filter(pc.is_in(table["unit"], wanted)).to_pylist()
            for number, rows in itertools.groupby(part, key=lambda row: row["unit"]):
                unit = Unit(number, [])
                for row in rows:
                    unit.sources.append(_source(row))
                    if row["stretches"] is not None:
                        unit.stretches[row["id"]] = [(item["start"], item["end"]) for item in row["stretches"]]
                yield unit

    def source(self, identifier: str) -> Source:
        """A recording, with its latest values. Raises KeyError."""
        for table in reversed(self.generations):
            for row in table.filter(pc.equal(table["id"], identifier)).to_pylist():
                return _source(row)
        raise KeyError(identifier)


def read_plan(out: Storage) -> Plan:
    """The plan of a build; without generations where none is written yet. Raises DataError where one is damaged."""
    generations = []
    for name in out.names(FOLDER):
        if name.endswith(".parquet"):
            path = f"{out.root}/{FOLDER}/{name}"
            with damage_named(path, REMEDY):
                table = out.read_table(f"{FOLDER}/{name}")
            missing = sorted({*schemas.PLAN.names} - {*table.column_names})
            if missing:
                msg = f"{path} has no column {missing[0]}: {REMEDY}"
                raise DataError(msg)
            generations.append(table)
    return Plan(generations)


def extend_plan(
    out: Storage,
    plan: Plan,
    inputs: Sequence[tuple[Source, int]],
    *,
    unit_files: int,
    unit_bytes: float,
    stretches: Mapping[str, Sequence[Stretch]] | None = None,
    retried_edition: int = 0,
) -> Plan:
    """Plan these recordings (with their sizes in bytes) as one more generation, and write it.

    `stretches` are those of recordings of which only these are tried again, because they failed in an edition.
    """
    if not inputs:
        return plan
    ordered = sorted(inputs, key=lambda item: item[0].id)
    units = _group([size for _, size in ordered], unit_files, unit_bytes)
    rows = [
        _row(source, plan.num_units + unit, stretches or {}) for (source, _), unit in zip(ordered, units, strict=True)
    ]
    schema = schemas.PLAN.with_metadata({RETRIES_KEY: str(retried_edition)} if retried_edition else None)
    table = pa.Table.from_pylist(rows, schema=schema)
    out.write_table(f"{FOLDER}/generation-{len(plan.generations):03d}.parquet", table)
    return Plan([*plan.generations, table])


def _row(source: Source, unit: int, stretches: Mapping[str, Sequence[Stretch]]) -> dict[str, Any]:
    again = stretches.get(source.id)
    return {
        "unit": unit,
        "stretches": None if again is None else [{"start": start, "end": end} for start, end in again],
        **asdict(source),
        "extra": json.dumps(source.extra, sort_keys=True),
    }


def _group(sizes: Sequence[int], unit_files: int, unit_bytes: float) -> Iterator[int]:
    """Number of the unit for each file: a unit is full at `unit_files` files or `unit_bytes` bytes."""
    unit, files, total = 0, 0, 0
    for size in sizes:
        if files and (files >= unit_files or total + size > unit_bytes):
            unit, files, total = unit + 1, 0, 0
        files, total = files + 1, total + size
        yield unit


def _source(row: dict[str, Any]) -> Source:
    fields = {key: value for key, value in row.items() if key not in {"unit", "stretches"}}
    return Source(**{**fields, "extra": json.loads(row["extra"])})
