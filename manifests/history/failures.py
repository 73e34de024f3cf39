"""What failed in a corpus, to be tried again: recordings and stretches of them, from its ledger."""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage
from curation.manifests import ledger
from curation.manifests.index import REMEDY, ShardIndex
from curation.manifests.plan import Stretch
from curation.manifests.shards import origin


@dataclass(slots=True)
class FailedRecording:
    """What failed of a recording, and of which version of its file."""

    id: str
    version: str
    stretches: list[Stretch] = field(default_factory=list)


TO_THE_END = 2**62
"""End of a stretch in which decoding failed: how long the recording goes on is not known."""
_FAILURE_COLUMNS = ["recording_id", "version", "start_sample", "end_sample", "status"]


def failed_recordings(out: Storage, corpus: ShardIndex) -> Iterator[FailedRecording]:
    """The recordings of a corpus in which something failed, sorted by id, from its ledger."""
    by_origin = itertools.groupby(sorted(corpus.ledger, key=origin), key=origin)  # the parts of each are in order
    yield from heapq.merge(*(_failed_in(out, [*names]) for _, names in by_origin), key=lambda found: found.id)


def _failed_in(out: Storage, names: Sequence[str]) -> Iterator[FailedRecording]:
    for name in names:
        table = out.read_table(f"{ledger.FOLDER}/{name}", _FAILURE_COLUMNS, REMEDY)
        if not table.num_rows:  # all of its recordings were removed
            continue
        recording = table["recording_id"].combine_chunks()
        is_last = pc.not_equal(recording, pa.concat_arrays([recording[1:], pa.array([""])]))
        rows = table.append_column("is_last", is_last).filter(pc.equal(table["status"], "failed"))
        found: FailedRecording | None = None
        for row in rows.to_pylist():
            if found is None or found.id != row["recording_id"]:
                if found is not None:
                    yield found
                found = FailedRecording(row["recording_id"], row["version"])
            end = TO_THE_END if row["is_last"] else row["end_sample"]
            found.stretches.append((row["start_sample"], max(end, row["start_sample"] + 1)))
        if found is not None:
            yield found
