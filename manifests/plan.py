"""The plan of a build: which recordings there are, and which unit of work each belongs to.

`plan/generation-000.parquet` is written before any work. New and retried recordings come in later generations with
higher unit numbers; for each recording the latest unit counts. Ids are sorted within a generation, so that merging the
generations gives all recordings in order without holding them in memory.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage
from curation.manifests import schemas
from curation.manifests.records import Source

FOLDER = "plan"
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Unit:
    """Recordings that are read by one task, in order."""

    number: int
    sources: list[Source]


@dataclass(frozen=True)
class Plan:
    """All generations, oldest first; each a table of `schemas.PLAN`."""

    generations: list[pa.Table]

    @property
    def num_units(self) -> int:
        """One more than the highest number of a unit: the number of the next."""
        return max((pc.max(table["unit"]).as_py() + 1 for table in self.generations if table.num_rows), default=0)

    def current_units(self) -> dict[str, int]:
        """The unit that counts for each recording: its latest."""
        return {
            identifier: unit
            for table in self.generations
            for identifier, unit in zip(table["id"].to_pylist(), table["unit"].to_pylist(), strict=True)
        }

    def sources(self) -> Iterator[Source]:
        """Every recording once, in the order of the generations, with its latest values."""
        latest = {row["id"]: row for table in self.generations for row in table.to_pylist()}
        yield from map(_source, latest.values())

    def units(self, numbers: Sequence[int]) -> Iterator[Unit]:
        """The units with these numbers, in order."""
        wanted = pa.array(sorted(numbers), pa.int32())
        for table in self.generations:
            part = table.filter(pc.is_in(table["unit"], wanted))
            sources: list[Source] = []
            current = -1
            for row in part.to_pylist():
                if row["unit"] != current and sources:
                    yield Unit(current, sources)
                    sources = []
                current = row["unit"]
                sources.append(_source(row))
            if sources:
                yield Unit(current, sources)


def read_plan(out: Storage) -> Plan:
    """The plan of a build; without generations where none is written yet."""
    return Plan([table for _, table in out.iter_tables(FOLDER)])


def extend_plan(
    out: Storage, plan: Plan, inputs: Sequence[tuple[Source, int]], *, unit_files: int, unit_bytes: float
) -> Plan:
    """Plan these recordings (with their sizes in bytes) as one more generation, and write it."""
    if not inputs:
        return plan
    ordered = sorted(inputs, key=lambda item: item[0].id)
    units = _group([size for _, size in ordered], unit_files, unit_bytes)
    rows = [
        {"unit": plan.num_units + unit, **asdict(source), "extra": json.dumps(source.extra, sort_keys=True)}
        for (source, _), unit in zip(ordered, units, strict=True)
    ]
    table = pa.Table.from_pylist(rows, schema=schemas.PLAN)
    out.write_table(f"{FOLDER}/generation-{len(plan.generations):03d}.parquet", table)
    return Plan([*plan.generations, table])


def _group(sizes: Sequence[int], unit_files: int, unit_bytes: float) -> Iterator[int]:
    """Number of the unit for each file: a unit is full at `unit_files` files or `unit_bytes` bytes."""
    unit, files, total = 0, 0, 0
    for size in sizes:
        if files and (files >= unit_files or total + size > unit_bytes):
            unit, files, total = unit + 1, 0, 0
        files, total = files + 1, total + size
        yield unit


def _source(row: dict[str, str]) -> Source:
    fields = {key: value for key, value in row.items() if key != "unit"}
    return Source(**{**fields, "extra": json.loads(row["extra"])})
