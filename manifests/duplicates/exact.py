"""Recordings with the same samples count once: of each group the oldest one does, the others are `dedup.exact`.

    with Contents(plan) as contents:
        contents.add(seen)                   # of every staging file that is judged
        contents.add_published(out, index)   # of the recordings that stay as they are published
        for twin in contents.duplicates(): ...

The oldest is what is published already, else what an earlier unit of the plan labelled, which is to say: an earlier
generation of the plan, and within one the lower id. So what counts goes on counting when the corpus grows.
"""

import itertools
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage
from curation.manifests import plan
from curation.manifests.columns.maps import one_chunk
from curation.manifests.duplicates.twins import Twin
from curation.manifests.groups import labelled_again

if TYPE_CHECKING:
    import duckdb

REASON = "dedup.exact"
"""Of the segments of a recording that does not count. The detail is the id of the one that does."""
ROWS_AT_ONCE = 2**16
LIMITS = {"memory_limit": "256MB", "threads": "1", "python_enable_replacements": "false"}
"""Of the database, which goes on in a temporary folder beyond that."""
PUBLISHED_COLUMNS = ["recording_id", "start_sample", "reason", "pcm"]
LEDGER = "ledger"
"""Folder of its parts."""
REMEDY = "publish the build again with `curation compact BUILD`"
"""Where one is damaged."""
OLDEST = """
WITH tried AS (SELECT seen.id, min(seen.unit) AS unit, min(pcm) AS pcm FROM seen LEFT JOIN homes USING (id)
               WHERE seen.unit >= coalesce(homes.unit, 0) GROUP BY seen.id HAVING count(DISTINCT pcm) = 1),
     every AS (SELECT id, pcm, unit, false AS twin FROM tried
               UNION ALL SELECT id, pcm, -1, bool_or(twin) FROM published GROUP BY id, pcm),
     several AS (SELECT pcm FROM every GROUP BY pcm HAVING count(*) > 1),
     ranked AS (SELECT id, unit, first_value(id) OVER (PARTITION BY pcm ORDER BY twin, unit, id) AS survivor
                FROM every SEMI JOIN several USING (pcm))
SELECT id, survivor FROM ranked WHERE unit >= 0 AND id <> survivor ORDER BY id
"""
"""A recording whose tries gave different samples is not compared: which of them counts is decided later."""


class Content(NamedTuple):
    """What a unit decoded of a recording."""

    id: str
    unit: int
    pcm: str
    """SHA-256 of its samples."""


class Contents:
    """The samples of recordings, by their hashes: on disk but for some 256 MB, however many they are."""

    def __init__(self, planned: plan.Plan) -> None:
        self._stack = ExitStack()
        self._stored = False
        self._waiting: list[Content] = []
        self._standing: list[pa.Table] = []
        self._planned = planned

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def _database(self) -> "duckdb.DuckDBPyConnection":
        """Opened where it is needed: to open one takes as long as a sixth of a build of four short recordings."""
        import duckdb

        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        database = duckdb.connect(config={**LIMITS, "temp_directory": folder})
        self._stack.callback(database.close)
        database.execute("CREATE TABLE seen(id VARCHAR, unit INTEGER, pcm VARCHAR)")
        database.execute("CREATE TABLE published(id VARCHAR, pcm VARCHAR, twin BOOLEAN)")
        return database

    def add(self, seen: Iterable[Content]) -> None:
        """Add what staging files say of recordings that are to be published."""
        self._waiting.extend(seen)
        self._store_many()

    def add_published(self, out: Storage, ledger: Sequence[str], without: Sequence[str] = ()) -> None:
        """Add what files of the ledger say of the recordings that stay as they are: all but those `without`."""
        gone = pa.array(without, pa.string())
        for file in ledger:
            rows = out.read_table(f"{LEDGER}/{file}", PUBLISHED_COLUMNS, REMEDY)
            twin = pc.fill_null(pc.equal(rows["reason"], REASON), False)  # noqa: FBT003 - the value of a null
            first = pc.equal(rows["start_sample"], 0)
            known = pc.and_(pc.is_valid(rows["pcm"]), pc.invert(pc.is_in(rows["recording_id"], value_set=gone)))
            table = pa.table([rows["recording_id"], rows["pcm"], twin], names=["id", "pcm", "twin"])
            self._standing.append(table.filter(pc.and_(known, pc.or_(first, twin))))
            self._store_many()

    def duplicates(self) -> Iterator[Twin]:
        """Each recording to be published that does not count, with the id of the one that does; sorted by id."""
        if not self._stored and not self._has_equal():
            return
        self._store()
        self._database.execute("CREATE OR REPLACE TABLE homes AS SELECT id, unit FROM seen LIMIT 0")
        for table in labelled_again(self._planned):
            self._insert("homes", table)
        self._database.execute("CREATE OR REPLACE TABLE homes AS SELECT id, max(unit) AS unit FROM homes GROUP BY id")
        found = self._database.execute(OLDEST)
        while rows := found.fetchmany(ROWS_AT_ONCE):
            yield from (Twin(one, "", REASON, survivor) for one, survivor in rows)

    def _has_equal(self) -> bool:
        """Whether any two of the recordings that are in memory have the same samples, or may have."""
        names: dict[str, str] = {}
        seen = ((one.pcm, one.id) for one in self._waiting)
        published = (zip(rows["pcm"].to_pylist(), rows["id"].to_pylist(), strict=True) for rows in self._standing)
        return any(names.setdefault(pcm, name) != name for pcm, name in itertools.chain(seen, *published))

    def _store_many(self) -> None:
        if len(self._waiting) + sum(rows.num_rows for rows in self._standing) >= ROWS_AT_ONCE:
            self._store()

    def _store(self) -> None:
        self._stored = True
        columns = list(zip(*self._waiting, strict=True)) or [(), (), ()]
        types = pa.string(), pa.int32(), pa.string()
        arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
        self._insert("seen", pa.table(arrays, names=Content._fields))
        for rows in self._standing:
            self._insert("published", rows)
        self._waiting.clear()
        self._standing.clear()

    def _insert(self, name: str, table: pa.Table) -> None:
        self._database.register("rows", table)
        self._database.execute(f"INSERT INTO {name} SELECT * FROM rows")  # noqa: S608 - a name of this module
        self._database.unregister("rows")


def count_for_others(out: Storage, ledger: Iterable[str], recordings: Collection[str]) -> bool:
    """Whether any of the recordings counts in place of another one, as files of the ledger say."""
    wanted = pa.array(sorted(recordings), pa.string())
    for file in ledger:
        rows = out.read_table(f"{LEDGER}/{file}", ["reason", "detail"], REMEDY)
        twins = rows.filter(pc.equal(rows["reason"], REASON))
        if pc.any(pc.is_in(twins["detail"], value_set=wanted)).as_py():
            return True
    return False


def with_same_samples(out: Storage, ledger: Iterable[str], pcm: Collection[str]) -> set[str]:
    """The ids of the recordings that have any of these samples, as files of the ledger say."""
    wanted, found = pa.array(sorted(pcm), pa.string()), set[str]()
    for file in ledger:
        rows = out.read_table(f"{LEDGER}/{file}", ["recording_id", "pcm"], REMEDY)
        found.update(pc.unique(rows.filter(pc.is_in(rows["pcm"], value_set=wanted))["recording_id"]).to_pylist())
    return found


def samples_of(spans: pa.Table, unit: int) -> list[Content]:
    """What a staging file of a unit says of the samples of recordings: that is in their last rows."""
    known = spans.filter(pc.and_(spans["last"], pc.is_valid(spans["pcm"])))
    ids, pcm = pc.struct_field(one_chunk(known["source"]), "id"), known["pcm"]
    return [Content(one, unit, samples) for one, samples in zip(ids.to_pylist(), pcm.to_pylist(), strict=True)]
