"""Divides the recordings of a build among tasks, in the order of their ids, and each task's into groups.

    for part in id_ranges(plan, committed(out)):
        for group in groups(plan, part):
            selection = build.select(group)

A group is as much as is in memory at once.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage
from curation.manifests import staging
from curation.manifests.plan import Plan, read_plan
from curation.manifests.staging import BatchName

FILES_PER_GROUP = 64
"""Staging files: up to 48 hours of audio, in batches of 45 minutes as large builds have them."""


@dataclass(frozen=True, slots=True)
class IdRange:
    """The recordings with ids from `first` up to `end`, which is not included; None: all that follow."""

    number: int
    """Among the ranges of a build."""
    first: str
    end: str | None
    files: Sequence[BatchName]
    """All staging files with rows of them; others may be among these."""
    since: int = 0
    """Only recordings that this generation of the plan, or a later one, has."""


@dataclass(frozen=True, slots=True)
class RecordingGroup:
    """Recordings that are neighbours in the order of all recordings."""

    homes: Mapping[str, int]
    """By id, sorted, the unit that labelled each as a whole last: rows of an earlier one do not count."""
    files: tuple[BatchName, ...] = ()
    """The staging files of these units, and of those that tried stretches again after that."""


def id_ranges(plan: Plan, names: Sequence[BatchName], since: int = 0) -> Iterator[IdRange]:
    """The recordings of a plan's generations from `since` on, in ranges of which each lies in one part of each of them.

    `names`: all their staging files, sorted.
    """
    cuts: list[str | None] = [*plan.cuts(since), None]
    for number, (first, end) in enumerate(itertools.pairwise(cuts)):
        files: list[BatchName] = []
        for part in (part for generation in plan.generations for part in generation.between(first or "", end)):
            start = bisect_left(names, part.first_unit, key=lambda name: name.unit)
            files += names[start : bisect_right(names, part.last_unit, key=lambda name: name.unit)]
        yield IdRange(number, first or "", end, files, since)


def files_of(plan: Plan, names: Sequence[BatchName], since: int) -> Sequence[BatchName]:
    """The staging files, of all, that the recordings of a plan's generations from `since` on have rows in."""
    if not since:
        return names
    units = {unit for item in plan.recordings(since=since) for unit in (item.home, *item.retries)}
    return [name for name in names if name.unit in units]


def replaced(plan: Plan, since: int) -> Iterator[str]:
    """Recordings of earlier generations that generation number `since` or a later one plans again."""
    for generation in plan.generations[since:]:
        for part in generation.parts:
            ids = plan.read(part, ["id"])["id"]
            older = (generation.between(part.first, f"{part.last}\0") for generation in plan.generations[:since])
            for known in itertools.chain.from_iterable(older):
                before = plan.read(known, ["id"])["id"].combine_chunks()
                yield from ids.filter(pc.is_in(ids, value_set=before)).to_pylist()


def labelled_again(plan: Plan) -> Iterator[pa.Table]:
    """`id` and `unit` of what later generations than the first label as a whole, part by part."""
    for part in itertools.chain.from_iterable(generation.parts for generation in plan.generations[1:]):
        rows = plan.read(part, ["id", "unit", "stretches"])
        yield rows.filter(pc.is_null(rows["stretches"])).select(["id", "unit"])


def groups(plan: Plan, part: IdRange, most_files: int = FILES_PER_GROUP) -> Iterator[RecordingGroup]:
    """The recordings of a range in groups of so many staging files, or those of one unit."""
    by_unit = itertools.groupby(part.files, key=lambda name: name.unit)
    files = {unit: list(names) for unit, names in by_unit}
    homes: dict[str, int] = {}
    mine: dict[int, list[BatchName]] = {}
    for item in plan.recordings(part.first, part.end, part.since):
        new = {unit: files.get(unit, []) for unit in (item.home, *item.retries) if unit not in mine}
        if homes and new and sum(map(len, [*mine.values(), *new.values()])) > most_files:
            yield _group(homes, mine)
            homes, mine = {}, {}
            new = {unit: files.get(unit, []) for unit in (item.home, *item.retries)}
        homes[item.source.id] = item.home
        mine |= new
    if homes:
        yield _group(homes, mine)


def all_groups(out: Storage) -> Iterator[RecordingGroup]:
    """All recordings of a build, a unit or a part of one at a time."""
    plan = read_plan(out)
    for part in id_ranges(plan, staging.committed(out)):
        yield from groups(plan, part, most_files=1)


def _group(homes: dict[str, int], files: dict[int, list[BatchName]]) -> RecordingGroup:
    return RecordingGroup(homes, tuple(name for unit in sorted(files) for name in files[unit]))
