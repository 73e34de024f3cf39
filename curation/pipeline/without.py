"""Files of a corpus written again without some recordings: those that were labelled again, or that have to go; or with
another split of some.

A file that has none of them stays as it is, and keeps its name. No model runs, and nothing else is read.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.core.parquet import damage_named
from curation.core.storage import Storage
from curation.manifests import index, ledger, shards
from curation.manifests.columns.maps import one_chunk
from curation.manifests.index import ShardIndex
from curation.manifests.segments import table as segments
from curation.manifests.splits.mixture import KEYS
from curation.manifests.summary import LedgerTally, PartSums, mixture_of, named_speakers
from curation.pipeline.edition import stored
from curation.pipeline.job import FileRewritten
from curation.pipeline.writers import ShardTally

KEY = "recording_id"
SAID = ["status", "seconds", "speaker", *KEYS]
"""Of segments, what a part of the ledger sums up."""
FOLDERS = {True: shards.FOLDER, False: ledger.FOLDER}
"""Whether a file is a shard."""


@dataclass(frozen=True)
class RewriteTask:
    """A shard, or a part of ledger and segments."""

    file: str
    is_shard: bool

    @property
    def name(self) -> str:
        """See `job.NamedTask`."""
        return f"rewrite-{self.file}"


@dataclass(frozen=True)
class Without:
    """Writes files again, for an edition, where they have any of the recordings."""

    out: Storage
    edition: int
    recordings: Sequence[str] = field(repr=False)
    """Sorted ids."""
    row_group_rows: int
    """Of shards."""
    moved: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Others, with the split that they are in now."""

    def __call__(self, task: RewriteTask) -> FileRewritten:
        """Write the file of the task, or the two of a part."""
        return stored(self.out, self.edition, task, self._written(task))

    def _written(self, task: RewriteTask) -> FileRewritten:
        name = f"{FOLDERS[task.is_shard]}/{task.file}"
        with damage_named(f"{self.out.root}/{name}", index.REMEDY), self.out.open_table(name) as file:
            if not has_any(file, sorted({*self.recordings, *self.moved})):
                return FileRewritten(was=task.file, file=task.file)
            return self._shard(task.file, file) if task.is_shard else self._part(task.file, file)

    def _shard(self, was: str, file: pq.ParquetFile) -> FileRewritten:
        new, tally = shards.rewritten(was, self.edition), ShardTally()
        name = f"{shards.FOLDER}/{new}"
        with self.out.table_writer(name, file.schema_arrow, self.row_group_rows) as writer:
            for rows in self._rest(file):
                writer.add(rows)
                tally.add(rows)
        if not tally.rows:
            self.out.remove(name)
            return FileRewritten(was=was, file="")
        return FileRewritten(was=was, file=new, entry=tally.entry(new, writer.bytes, writer.sha256))

    def _part(self, was: str, file: pq.ParquetFile) -> FileRewritten:
        """The files of ledger and segments: what it adds to the summary follows from both."""
        new = shards.rewritten(was, self.edition)
        names = [f"{folder}/{new}" for folder in (ledger.FOLDER, segments.FOLDER)]
        said: list[pa.Table] = []
        beside = f"{segments.FOLDER}/{was}"
        with damage_named(f"{self.out.root}/{beside}", index.REMEDY), self.out.open_table(beside) as heard:
            schema = heard.schema_arrow
            with self.out.table_writer(names[1], schema, segments.ROW_GROUP_ROWS) as other:
                for rows in self._rest(heard):
                    other.add(rows)
                    said.append(rows.select(SAID))
        rows = pa.concat_tables([file.schema_arrow.empty_table(), *self._rest(file)]).replace_schema_metadata()
        known = pa.concat_tables([schema.empty_table().select(SAID), *said])
        voices = known["speaker"]
        sums = PartSums(LedgerTally.of(rows, voices), sorted(named_speakers(rows, voices)), mixture_of(rows, known))
        with self.out.table_writer(names[0], rows.schema, ledger.ROW_GROUP_ROWS) as writer:
            writer.add(rows)
            writer.annotate(PartSums.KEY, sums.to_text())
        if not rows.num_rows:
            for name in names:
                self.out.remove(name)
            return FileRewritten(was=was, file="")
        return FileRewritten(was=was, file=new, sha256=dict(zip(names, (writer.sha256, other.sha256), strict=True)))

    def _rest(self, file: pq.ParquetFile) -> Iterator[pa.Table]:
        """The rows of a file without those of the recordings, one row group after the other."""
        gone = pa.array(self.recordings, pa.string())
        for number in range(file.num_row_groups):
            rows = file.read_row_group(number)
            yield self._divided(rows.filter(pc.invert(pc.is_in(rows[KEY], value_set=gone))))

    def _divided(self, rows: pa.Table) -> pa.Table:
        """The rows with the split of what is moved."""
        if not self.moved:
            return rows
        now = pa.array(self.moved.values(), pa.string())
        place = pc.index_in(rows[KEY], value_set=pa.array(self.moved.keys(), pa.string()))
        split = pc.coalesce(now.take(one_chunk(place)), one_chunk(rows["split"]))
        number = rows.column_names.index("split")
        return rows.set_column(number, rows.schema.field(number), split)


def has_any(file: pq.ParquetFile, recordings: Sequence[str]) -> bool:
    """Whether a file has rows of any of the recordings (sorted ids). Row groups are read only where they may have."""
    column = [file.schema.column(place).path for place in range(len(file.schema))].index(KEY)
    wanted = pa.array(recordings, pa.string())
    for number in range(file.num_row_groups):
        said = file.metadata.row_group(number).column(column).statistics
        if said is not None and said.has_min_max:
            place = bisect_left(recordings, said.min)
            if place == len(recordings) or recordings[place] > said.max:
                continue
        if pc.any(pc.is_in(file.read_row_group(number, columns=[KEY])[KEY], value_set=wanted)).as_py():
            return True
    return False


def rewrite_tasks(old: ShardIndex) -> list[RewriteTask]:
    """A task for each file of a corpus."""
    files = [(file, is_shard) for is_shard in (False, True) for file in old.names(FOLDERS[is_shard])]
    return [RewriteTask(file, is_shard) for file, is_shard in files if not ledger.is_removal(file)]


def rest(old: ShardIndex, done: Iterable[FileRewritten]) -> ShardIndex:
    """The index of a corpus after these tasks, with its files in their order."""
    changed = {item.was: item for item in done if item.file != item.was}
    entries = [changed[entry.file].entry if entry.file in changed else entry for entry in old.shards]
    parts = {file: changed[file].file if file in changed else file for file in old.ledger}
    sha256 = {name: value for name, value in old.sha256.items() if posixpath.basename(name) not in changed}
    for item in changed.values():
        sha256 |= item.sha256
    return replace(
        old,
        shards=[entry for entry in entries if entry is not None],
        ledger=[parts[file] for file in old.ledger if parts[file]],
        segments=[parts[file] for file in old.segments if parts[file]],
        sha256=sha256,
    )
