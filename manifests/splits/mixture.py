"""What a corpus is made of: kept hours by split, language, tier, and by how much of a speaker it has (`mixture.json`).

A speaker that the manifest names may be in many parts of a ledger: each part says what it has of each, and the whole
adds that up. Speakers with a generated name are in one recording.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.counts import digest
from curation.core.storage import Storage

FILE = "mixture.json"
BUCKETS = ("under 1 min", "1 to 10 min", "10 to 60 min", "1 to 10 h", "10 h and more")
"""Of kept speech of a speaker."""
EDGES = tuple(seconds * SAMPLE_RATE for seconds in (60, 600, 3600, 36_000))
KEYS = ["split", "language", "tier"]

Key = tuple[str, str, str]
"""Split, language and tier; empty texts for none."""
Row = tuple[str, str, str, int, int, int]
"""A key, a number, utterances and samples."""


@dataclass(slots=True)
class Mixture:
    """What parts of a ledger add to the whole."""

    cells: list[Row] = field(default_factory=list)
    """Of speakers with a generated name: the key, the number of the bucket, utterances and samples."""
    named: list[Row] = field(default_factory=list)
    """Of the others: the key, the digest of the speaker, utterances and samples."""

    @classmethod
    def of(cls, kept: pa.Table) -> "Mixture":
        """Of kept utterances of whole recordings: `voice`, `generated` (the name that is generated where there is no
        other), `samples`, and the columns of the key.
        """
        table = kept.append_column("named", pc.not_equal(kept["voice"], kept["generated"]))
        sums = table.group_by(["named", "voice", *KEYS]).aggregate([("samples", "count"), ("samples", "sum")])
        found, total = cls(), dict[str, int]()
        rows = sums.to_pylist()
        for row in rows:
            total[row["voice"]] = total.get(row["voice"], 0) + row["samples_sum"]
        for row in rows:
            key = (row["split"] or "", row["language"] or "", row["tier"] or "")
            amount = row["samples_count"], row["samples_sum"]
            if row["named"]:
                found.named.append((*key, digest(row["voice"]), *amount))
            else:
                found.cells.append((*key, _bucket(total[row["voice"]]), *amount))
        return found

    def add(self, other: "Mixture") -> None:
        """Add what other recordings add."""
        self.cells, self.named = _summed([*self.cells, *other.cells]), _summed([*self.named, *other.named])


def _summed(rows: Sequence[Row]) -> list[Row]:
    """Rows of the same key and number as one, in order."""
    sums: dict[tuple[str, str, str, int], tuple[int, int]] = {}
    for split, language, tier, number, count, samples in rows:
        known = sums.get(key := (split, language, tier, number), (0, 0))
        sums[key] = known[0] + count, known[1] + samples
    return [(*key, *sums[key]) for key in sorted(sums)]


class Mixing:
    """Adds the parts of a corpus up: 28 bytes for each speaker and key of a part."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._keys: dict[Key, int] = {}
        self._named: list[Sequence[Any]] = []

    def add(self, part: Mixture) -> None:
        """Add a part."""
        self._rows = _summed([*self._rows, *part.cells])
        if part.named:
            splits, languages, tiers, *columns = zip(*part.named, strict=True)
            keys = zip(splits, languages, tiers, strict=True)
            codes = [self._keys.setdefault(key, len(self._keys)) for key in keys]
            self._named.append([np.array(values, kind) for values, kind in zip((codes, *columns), _KINDS, strict=True)])

    def cells(self) -> list[dict[str, Any]]:
        """Every key and bucket that has something, in order, with its utterances and hours."""
        code, voice, counts, samples = (
            np.concatenate([np.empty(0, kind), *(part[number] for part in self._named)])
            for number, kind in enumerate(_KINDS)
        )
        _, number = np.unique(voice, return_inverse=True)
        bucket = np.searchsorted(EDGES, np.bincount(number, samples), "right")[number]
        rows = list(self._rows)
        for place, key in enumerate(self._keys):
            for where in range(len(BUCKETS)):
                mine = (code == place) & (bucket == where)
                if mine.any():
                    rows.append((*key, where, int(counts[mine].sum()), int(samples[mine].sum())))
        return [
            {
                **dict(zip(KEYS, key, strict=True)),
                "speaker": BUCKETS[where],
                "utterances": count,
                "hours": total / SAMPLE_RATE / 3600,
            }
            for *key, where, count, total in _summed(rows)
        ]


def _bucket(samples: int) -> int:
    return int(np.searchsorted(EDGES, samples, "right"))


_KINDS = (np.int32, np.uint64, np.int64, np.int64)


def write_mixture(out: Storage, cells: Sequence[Mapping[str, Any]]) -> None:
    """Write the cells of a corpus (`Mixing.cells`)."""
    out.write_json(FILE, cells)
