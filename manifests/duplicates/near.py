"""Near duplicates, `duplicates/groups.parquet`: utterances that sound and read like one another, in groups.

`curation dedup` writes the file. A row is an utterance, in the order of the corpus; the first of a group is the one
that counts. Where `dedup.near` is `reject`, the publish pass rejects the others.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from curation.core.errors import DataError
from curation.core.parquet import damage_named
from curation.core.storage import Storage
from curation.manifests.duplicates.twins import Twin
from curation.manifests.schemas import Column

FOLDER = "duplicates"
FILE = f"{FOLDER}/groups.parquet"
REPORT = f"{FOLDER}/report.json"
REASON = "dedup.near"
REMEDY = "`curation dedup` writes it again"
PLANNED = b"curation.planned"
"""Generations of the plan that the corpus had: with more, there are recordings that were not compared."""
COLUMNS = [
    Column("group", pa.int32(), "", "number of the group"),
    Column("id", pa.string(), "", "recording"),
    Column("utterance", pa.string(), "", "the utterance, as in the shards"),
    Column("seconds", pa.float64(), "s", "duration"),
    Column("codes", pa.float64(), "0..1", "how far its codes are those of the most similar one of its group"),
    Column("voice", pa.float64(), "-1..1", "cosine of the speaker embeddings of the two"),
    Column("words", pa.float64(), "0..1", "similarity of the texts of the two"),
    Column("rhythm_ms", pa.float64(), "ms", "how far off the words are that the two have in common; null: too few"),
    Column("speed", pa.float64(), "", "of the later of the two, that of the other is 1; null: too few words in common"),
]
LIKENESS = ("codes", "voice", "words", "rhythm_ms", "speed")
"""The columns that say how much alike the two are."""
SCHEMA = pa.schema([(item.name, item.type) for item in COLUMNS])


@dataclass(frozen=True)
class Groups:
    """What `curation dedup` found."""

    table: pa.Table
    planned: int
    """Generations of the plan that were compared."""

    @classmethod
    def read(cls, out: Storage) -> Self | None:
        """Those of a corpus; None where nobody looked for them. Raises DataError where they are damaged."""
        if not out.exists(FILE):
            return None
        path = f"{out.root}/{FILE}"
        with damage_named(path, REMEDY):
            table = out.read_table(FILE)
            planned = int((table.schema.metadata or {})[PLANNED])
        if table.schema.names != SCHEMA.names:
            msg = f"{path} has other columns than this version writes: {REMEDY}"
            raise DataError(msg)
        return cls(table, planned)

    def write(self, out: Storage) -> None:
        """Write them."""
        out.write_table(FILE, self.table.cast(SCHEMA).replace_schema_metadata({PLANNED: str(self.planned)}))

    @property
    def fingerprint(self) -> str:
        """Changes with what the groups are."""
        values = self.table.select(["group", "utterance"]).to_pylist()
        return hashlib.sha256(repr(values).encode(errors="surrogatepass")).hexdigest()

    def twins(self) -> Iterator[Twin]:
        """The utterances that do not count, sorted by recording: all but the first of each group."""
        groups = self.table["group"].to_numpy()
        rest = np.setdiff1d(np.arange(len(groups)), np.unique(groups, return_index=True)[1])
        rows = self.table.take(pa.array(rest)).sort_by([("id", "ascending"), ("utterance", "ascending")])
        for row in rows.to_pylist():
            yield Twin(row["id"], row["utterance"], REASON, f"group {row['group']}", row["codes"])
