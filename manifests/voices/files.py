"""`voices/members.parquet`: the voice of each speaker of each recording of a corpus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from curation.core.parquet import damage_named
from curation.core.storage import Storage
from curation.manifests import shards
from curation.manifests.index import ShardIndex
from curation.manifests.voices.clusters import Speaker

FILE = "voices/members.parquet"
SCHEMA = pa.schema([("recording_id", pa.string()), ("speaker", pa.string()), ("voice_id", pa.string())])
"""`speaker` as in the shards."""
COUNT = b"curation.voices"
"""In the metadata: how many voices there ever were."""
REMEDY = "`curation voices --anew` writes it again, with other numbers"
DIMENSION = 192
"""Of embeddings; shorter ones are filled up with zeros."""
_COLUMNS = ["recording_id", "speaker", "manifest_speaker", "seconds", "speaker_embedding"]


@dataclass(frozen=True)
class Members:
    """The number of the voice of each speaker, by recording and name in the shards."""

    numbers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    count: int = 0
    """All voices that ever were."""


def read_members(out: Storage) -> Members:
    """Those of a corpus; none where no voices were looked for. Raises DataError where the file is damaged."""
    if not out.exists(FILE):
        return Members()
    with damage_named(f"{out.root}/{FILE}", REMEDY):
        table = out.read_table(FILE)
        keys = zip(table["recording_id"].to_pylist(), table["speaker"].to_pylist(), strict=True)
        numbers = [int(name[1:]) for name in table["voice_id"].to_pylist()]
        count = int((table.schema.metadata or {}).get(COUNT, b"0"))
    return Members(dict(zip(keys, numbers, strict=True)), max([count, *numbers]))


def write_members(out: Storage, members: Members) -> None:
    """Replace the file."""
    keys = sorted(members.numbers)
    columns = [[key[0] for key in keys], [key[1] for key in keys], [f"V{members.numbers[key]:06d}" for key in keys]]
    schema = SCHEMA.with_metadata({COUNT: str(members.count).encode()})
    out.write_table(FILE, pa.table([pa.array(column, pa.string()) for column in columns], schema=schema))


def heard(out: Storage, corpus: ShardIndex) -> Iterator[Speaker]:
    """Every speaker of the utterances of a corpus, those of one recording together; a shard is in memory at a time."""
    pending: dict[tuple[str, str], Speaker] = {}
    for entry in corpus.shards:
        table = out.read_table(f"{shards.FOLDER}/{entry.file}", _COLUMNS)
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
