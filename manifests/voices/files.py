"""`voices/members.parquet`: the voice of each speaker of each recording of a corpus.

What was labelled again since the file was written has other speakers, whatever their labels: they have no voice yet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.parquet import damage_named
from curation.core.storage import Storage
from curation.manifests import shards
from curation.manifests.groups import replaced
from curation.manifests.index import REMEDY, ShardIndex
from curation.manifests.plan import Plan
from curation.manifests.voices.clusters import Speaker

FILE = "voices/members.parquet"
SCHEMA = pa.schema([("recording_id", pa.string()), ("speaker", pa.string()), ("voice_id", pa.string())])
"""`speaker` as in the shards."""
COUNT = b"curation.voices"
"""In the metadata: how many voices there ever were."""
PLANNED = b"curation.planned"
"""In the metadata: generations of the plan that the corpus had. What later ones label again are other speakers."""
ANEW = "`curation voices --anew` writes it again, with other numbers"
DIMENSION = 192
"""Of embeddings; shorter ones are filled up with zeros."""
_COLUMNS = ["recording_id", "speaker", "manifest_speaker", "seconds", "speaker_embedding"]


@dataclass(frozen=True)
class Members:
    """The number of the voice of each speaker, by recording and name in the shards."""

    numbers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    count: int = 0
    """All voices that ever were."""


def read_members(out: Storage, planned: Plan) -> Members:
    """Those of a corpus, as it is planned now; none where no voices were looked for.

    Raises DataError where the file is damaged.
    """
    table = read_table(out, planned)
    with damage_named(f"{out.root}/{FILE}", ANEW):
        keys = zip(table["recording_id"].to_pylist(), table["speaker"].to_pylist(), strict=True)
        numbers = [int(name[1:]) for name in table["voice_id"].to_pylist()]
        count = int((table.schema.metadata or {}).get(COUNT, b"0"))
    return Members(dict(zip(keys, numbers, strict=True)), max([count, *numbers]))


def read_table(out: Storage, planned: Plan) -> pa.Table:
    """The rows of the file, without recordings that were labelled again since; none where there is no file.

    Raises DataError where it is damaged.
    """
    if not out.exists(FILE):
        return SCHEMA.empty_table()
    with damage_named(f"{out.root}/{FILE}", ANEW):
        table = out.read_table(FILE, SCHEMA.names)
        known = int((table.schema.metadata or {}).get(PLANNED, b"1"))
        again = pa.array([*replaced(planned, known)], pa.string())
        return table.cast(SCHEMA.with_metadata(table.schema.metadata)).filter(
            pc.invert(pc.is_in(table["recording_id"], value_set=again))
        )


def write_members(out: Storage, members: Members, planned: int) -> None:
    """Replace the file, of a corpus that has so many generations of its plan."""
    keys = sorted(members.numbers)
    columns = [[key[0] for key in keys], [key[1] for key in keys], [f"V{members.numbers[key]:06d}" for key in keys]]
    schema = SCHEMA.with_metadata({COUNT: str(members.count).encode(), PLANNED: str(planned).encode()})
    out.write_table(FILE, pa.table([pa.array(column, pa.string()) for column in columns], schema=schema))


def heard(out: Storage, corpus: ShardIndex) -> Iterator[Speaker]:
    """Every speaker of the utterances of a corpus, those of one recording together; a shard is in memory at a time."""
    pending: dict[tuple[str, str], Speaker] = {}
    for entry in corpus.shards:
        table = out.read_table(f"{shards.FOLDER}/{entry.file}", _COLUMNS, REMEDY)
        last = table["recording_id"][-1].as_py() if table.num_rows else ""
        for row in table.to_pylist():
            key = row["recording_id"], row["speaker"]
            name = row["speaker"] if row["speaker"] == row["manifest_speaker"] else ""
            speaker = pending.setdefault(key, Speaker(*key, name, np.zeros(DIMENSION)))
            found = row["speaker_embedding"] or []
            speaker.embedding[: len(found)] += row["seconds"] * np.asarray(found)
        for key in [key for key in pending if key[0] != last]:  # the next shard may go on with the last
            yield pending.pop(key)
    yield from pending.values()


def published_count(out: Storage, corpus: ShardIndex) -> int:
    """The highest number of a voice in the shards of a corpus; 0: they have none."""
    highest = 0
    for entry in corpus.shards if any(entry.voiced for entry in corpus.shards) else ():
        names = out.read_table(f"{shards.FOLDER}/{entry.file}", ["voice_id"], REMEDY)["voice_id"]
        highest = max([highest, *(int(name[1:]) for name in pc.unique(names).drop_null().to_pylist())])
    return highest
