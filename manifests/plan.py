"""The plan of a build: which recordings there are, and which unit of work each belongs to.

A generation is a folder of Parquet files (`plan/generation-000-…/part-00000.parquet`, …) with recordings in the order
of their ids, cut between units. `plan/generation-000.json`, which is written last, names the files with their first and
last ids and units: a `Plan` holds no more than that, and reads what it is asked for part by part. Recordings that are
new or have changed come in later generations with higher unit numbers, and so do those of which stretches are tried
again. Merging the generations gives all recordings in order.
"""

import heapq
import itertools
import json
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from curation.core.errors import DataError, LockError
from curation.core.parquet import damage_named
from curation.core.records import Count, Finite, json_bytes, typed
from curation.core.storage import Storage
from curation.core.stores.conditional import ChangedError
from curation.manifests import schemas
from curation.manifests.records import Source

FOLDER = "plan"
REMEDY = (
    "restore it from a copy; if it is of another version of this software, build with that one, or into another folder"
)
UNITS_PER_PART = 256
RECORDINGS_PER_PART = 2**14
"""A part is full at either, and ends with a unit."""
ROWS_AT_ONCE = 4096
"""Rows that are Python objects at the same time while a part is read."""

Stretch = tuple[int, int]
"""First sample, and one past the last."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Recordings that are read by one task, in order."""

    number: int
    sources: list[Source]
    stretches: dict[str, list[Stretch]] = field(default_factory=dict)
    """What is tried again, by recording; one that is not named is labelled as a whole."""
    batch_seconds: float = 300.0
    """Audio of a batch with several spans, at most."""


class Todo(NamedTuple):
    """A recording to be planned."""

    source: Source
    size: int = 0
    """Bytes; 0: unknown."""
    stretches: Sequence[Stretch] | None = None
    """What is tried again; None: the whole recording is new, or has changed."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A recording, as the generations together plan it."""

    source: Source
    """With its latest values."""
    home: int
    """The unit that labels it as a whole: the latest that does."""
    retries: tuple[int, ...] = ()
    """The units that try stretches of it again after that."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a generation: where its ids and units begin and end."""

    file: Annotated[str, Field(pattern=r"^generation-[0-9a-f-]+/part-\d+\.parquet$")]
    first: str
    last: str
    first_unit: Count
    last_unit: Count


@dataclass(frozen=True, slots=True)
class Generation:
    """The parts of a generation, in order."""

    parts: list[Part]
    batch_seconds: Finite
    """Of its units."""
    retried_edition: Count = 0
    """The edition of the corpus whose failures it tries again; 0: none."""

    def between(self, first: str = "", end: str | None = None) -> Sequence[Part]:
        """The parts that may have ids from `first` up to `end`, which is not included; None: all that follow."""
        start = bisect_left(self.parts, first, key=lambda part: part.last)
        stop = len(self.parts) if end is None else bisect_left(self.parts, end, key=lambda part: part.first)
        return self.parts[start:stop]


@dataclass(frozen=True)
class Plan:
    """All generations, oldest first."""

    out: Storage
    generations: Sequence[Generation] = ()

    @property
    def parts(self) -> Iterator[Part]:
        """Of all generations, in the order of their units."""
        return itertools.chain.from_iterable(generation.parts for generation in self.generations)

    @property
    def num_units(self) -> int:
        """One more than the highest number of a unit: the number of the next."""
        return max((part.last_unit + 1 for part in self.parts), default=0)

    @property
    def retried_edition(self) -> int:
        """The latest edition of the corpus whose failures were planned again; 0: none."""
        return max((generation.retried_edition for generation in self.generations), default=0)

    @property
    def batch_seconds(self) -> float:
        """Audio of a batch with several spans, at most, in any generation; 0: there is none."""
        return max((generation.batch_seconds for generation in self.generations), default=0.0)

    def cuts(self, since: int = 0) -> list[str]:
        """Ids that divide the recordings: between two of them lies at most one part of each generation since then."""
        return sorted({part.first for generation in self.generations[since:] for part in generation.parts})

    def units(self, numbers: Iterable[int]) -> Iterator[Unit]:
        """The units with these numbers, in order."""
        wanted = sorted(numbers)
        for generation in self.generations:
            for part in generation.parts:
                mine = wanted[bisect_left(wanted, part.first_unit) : bisect_right(wanted, part.last_unit)]
                if mine:
                    yield from self._units_of(part, mine, generation.batch_seconds)

    def _units_of(self, part: Part, numbers: Sequence[int], batch_seconds: float) -> Iterator[Unit]:
        table = self.read(part)
        rows = _rows(table.filter(pc.is_in(table["unit"], pa.array(numbers, pa.int32()))))
        for number, group in itertools.groupby(rows, key=lambda row: row["unit"]):
            unit = Unit(number, [], batch_seconds=batch_seconds)
            for row in group:
                unit.sources.append(_source(row))
                if row["stretches"] is not None:
                    unit.stretches[row["id"]] = [(item["start"], item["end"]) for item in row["stretches"]]
            yield unit

    def recordings(self, first: str = "", end: str | None = None, since: int = 0) -> Iterator[Planned]:
        """Every recording once, sorted by id, from the id `first` up to `end`, which is not included; only those that
        generation number `since` or a later one plans, as all together plan them.
        """
        retried = any(generation.retried_edition for generation in self.generations[since:])
        streams = [self._between(generation, first, end) for generation in self.generations[0 if retried else since :]]
        merged = heapq.merge(*streams, key=lambda row: row["id"])  # equal ids: in the order of the generations
        begin = Plan(self.out, self.generations[:since]).num_units
        for _, group in itertools.groupby(merged, key=lambda row: row["id"]):
            rows = list(group)
            if rows[-1]["unit"] >= begin:
                home = max(row["unit"] for row in rows if row["stretches"] is None)
                yield Planned(_source(rows[-1]), home, tuple(row["unit"] for row in rows if row["unit"] > home))

    def sources(self) -> Iterator[Source]:
        """Those of all recordings."""
        return (item.source for item in self.recordings())

    def _between(self, generation: Generation, first: str, end: str | None) -> Iterator[Mapping[str, Any]]:
        for part in generation.between(first, end):
            table = self.read(part)
            if part.first < first:
                table = table.filter(pc.greater_equal(table["id"], first))
            if end is not None and part.last >= end:
                table = table.filter(pc.less(table["id"], end))
            yield from _rows(table)

    def read(self, part: Part, columns: Sequence[str] = schemas.PLAN.names) -> pa.Table:
        """Columns of a part, in the order of its ids. Raises DataError where it is damaged or gone."""
        path = f"{self.out.root}/{FOLDER}/{part.file}"
        try:
            with damage_named(path, REMEDY):
                table = self.out.read_table(f"{FOLDER}/{part.file}", [*columns])
        except FileNotFoundError:
            msg = f"{path} is missing: {REMEDY}"
            raise DataError(msg) from None
        if missing := sorted({*columns} - {*table.column_names}):
            msg = f"{path} has no column {missing[0]}: {REMEDY}"
            raise DataError(msg)
        return table


def read_plan(out: Storage) -> Plan:
    """The plan of a build; without generations where none is written yet. Raises DataError where one is damaged."""
    names = [name for name in out.names(FOLDER) if name.startswith("generation-")]
    old = next((name for name in names if name.endswith(".parquet")), None)
    if old is not None:
        msg = f"{out.root}/{FOLDER}/{old} is of another version of this software: {REMEDY}"
        raise DataError(msg)
    records = (f"{FOLDER}/{name}" for name in names if name.endswith(".json"))
    return Plan(out, [out.read_record(name, lambda values: typed(Generation, values), REMEDY) for name in records])


def extend_plan(
    out: Storage,
    plan: Plan,
    todo: Iterable[Todo],
    *,
    unit_files: int,
    unit_bytes: float,
    batch_seconds: float = 300.0,
    retried_edition: int = 0,
) -> Plan:
    """Plan recordings, which come sorted by id, as one more generation: it is there once its record is.

    `retried_edition`: the edition in which those failed of which only stretches are tried again. Raises LockError where
    another build has planned meanwhile; nothing of its plan is touched.
    """
    name = f"generation-{len(plan.generations):03d}"
    mine = f"{name}-{uuid.uuid4().hex[:8]}"
    units = enumerate(_grouped(todo, unit_files, unit_bytes), start=plan.num_units)
    parts = [_write_part(out, f"{mine}/part-{i:05d}.parquet", some) for i, some in enumerate(_parts_of(units))]
    if not parts:
        return plan
    new = Generation(parts, batch_seconds, retried_edition)
    try:
        out.write_if(f"{FOLDER}/{name}.json", json_bytes(asdict(new)), None)
    except ChangedError as error:
        msg = f"{out.root}/{FOLDER}/{name}.json was written by another build meanwhile: this build ends here"
        raise LockError(msg) from error
    for other in out.names(FOLDER):  # what runs that were killed have left
        if other.startswith(f"{name}-") and other != mine:
            out.remove_folder(f"{FOLDER}/{other}")
    return Plan(out, [*plan.generations, new])


def _grouped(todo: Iterable[Todo], unit_files: int, unit_bytes: float) -> Iterator[list[Todo]]:
    """The recordings of each unit: it is full at `unit_files` files or `unit_bytes` bytes."""
    unit: list[Todo] = []
    total, last = 0, ""
    for item in todo:
        if item.source.id <= last:
            msg = f"recordings to plan are not sorted: {item.source.id!r} after {last!r}"
            raise ValueError(msg)
        if unit and (len(unit) >= unit_files or total + item.size > unit_bytes):
            yield unit
            unit, total = [], 0
        unit.append(item)
        total, last = total + item.size, item.source.id
    if unit:
        yield unit


def _parts_of(units: Iterable[tuple[int, list[Todo]]]) -> Iterator[list[tuple[int, list[Todo]]]]:
    part: list[tuple[int, list[Todo]]] = []
    rows = 0
    for unit in units:
        part.append(unit)
        rows += len(unit[1])
        if len(part) >= UNITS_PER_PART or rows >= RECORDINGS_PER_PART:
            yield part
            part, rows = [], 0
    if part:
        yield part


def _write_part(out: Storage, file: str, units: Sequence[tuple[int, list[Todo]]]) -> Part:
    rows = [_row(number, item) for number, unit in units for item in unit]
    out.write_table(f"{FOLDER}/{file}", pa.Table.from_pylist(rows, schema=schemas.PLAN))
    return Part(file, rows[0]["id"], rows[-1]["id"], units[0][0], units[-1][0])


def _row(unit: int, item: Todo) -> dict[str, Any]:
    return {
        "unit": unit,
        "stretches": item.stretches and [{"start": start, "end": end} for start, end in item.stretches],
        **asdict(item.source),
        "extra": json.dumps(item.source.extra, sort_keys=True),
    }


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    return (row for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE) for row in batch.to_pylist())


def _source(row: Mapping[str, Any]) -> Source:
    values = {**row, "extra": json.loads(row["extra"])}
    return Source(**{key: value for key, value in values.items() if key not in {"unit", "stretches"}})
