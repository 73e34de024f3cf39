"""Pairs of utterances with similar codes: locality-sensitive hashing in a database on disk, for any number of them.

    with Search(settings) as search:
        search.add(table)                       # rows of shards, in the order of the corpus
        for pair in search.pairs(): ...

A band is some values of a sketch; utterances that agree in a band are candidates. Of those that agree each is compared
with the one before it and with the first of them only, so that a phrase that everybody says costs no more than others.
"""

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.dedup.sketch import bands, sketches
from curation.manifests.columns.maps import one_chunk

LIMITS = {
    "memory_limit": "512MB",
    "threads": "1",
    "python_enable_replacements": "false",
    "preserve_insertion_order": "false",
}
CANDIDATES = """
CREATE OR REPLACE TABLE candidates AS SELECT DISTINCT one, two FROM (
    SELECT place AS two, unnest([lag(place) OVER same, first_value(place) OVER same]) AS one FROM bands
    WINDOW same AS (PARTITION BY band, hash ORDER BY place)) WHERE one < two
"""
PAIRS = """
SELECT one, two, a.seconds, b.seconds, a.codes, b.codes, a.voice, b.voice, a.text, b.text FROM candidates
JOIN utterances a ON one = a.place JOIN utterances b ON two = b.place
"""
COLUMNS = ["id", "utterance", "seconds", "codes", "voice", "text"]
ROWS_AT_ONCE = 2**12
"""Pairs, with their codes."""


@dataclass(frozen=True, slots=True)
class Sketching:
    """How candidates are found."""

    length: int = 3
    """Codes of an n-gram."""
    size: int = 48
    """Values of a sketch."""
    rows: int = 1
    """Of them in a band."""


class Sound(NamedTuple):
    """What is compared of an utterance."""

    place: int
    """In the order of the corpus."""
    seconds: float
    codes: npt.NDArray[np.int32]
    voice: npt.NDArray[np.float32]
    text: str


class Search:
    """See the module."""

    def __init__(self, sketching: Sketching) -> None:
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "search.duckdb"
        self._database = duckdb.connect(str(file), config={**LIMITS, "temp_directory": self._folder.name})
        self._database.execute(
            "CREATE TABLE utterances(place INTEGER, id VARCHAR, utterance VARCHAR, seconds DOUBLE, codes INTEGER[], "
            "voice FLOAT[], text VARCHAR); "
            "CREATE TABLE bands(place INTEGER, band INTEGER, hash UBIGINT)"
        )
        self._sketching, self.count = sketching, 0

    @property
    def folder(self) -> str:
        """Where the database is."""
        return self._folder.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._folder.cleanup()

    def add(self, rows: pa.Table) -> None:
        """Add utterances: columns `COLUMNS`, of which `codes` are never empty."""
        if not rows.num_rows:
            return
        places = np.arange(self.count, self.count + rows.num_rows, dtype=np.int32)
        self.count += rows.num_rows
        self._insert("utterances", rows.select(COLUMNS).add_column(0, "place", pa.array(places)))
        sketching = self._sketching
        sketch = sketches(_sequences(one_chunk(rows["codes"])), sketching.length, sketching.size)
        hashes = bands(sketch, sketching.rows)
        columns = [
            np.repeat(places, hashes.shape[1]),
            np.tile(np.arange(hashes.shape[1], dtype=np.int32), len(places)),
            hashes.ravel(),
        ]
        self._insert("bands", pa.table(columns, names=["place", "band", "hash"]))

    def pairs(self) -> Iterator[tuple[Sound, Sound]]:
        """All candidates, each with the earlier one first."""
        self._database.execute(CANDIDATES)
        found: pa.RecordBatchReader = self._database.sql(PAIRS).to_arrow_reader(ROWS_AT_ONCE)
        for batch in found:
            columns = [batch.column(number) for number in range(batch.num_columns)]
            places, seconds, texts = ([column.to_pylist() for column in columns[at : at + 2]] for at in (0, 2, 8))
            codes, voices = (list(map(_sequences, columns[at : at + 2])) for at in (4, 6))
            for row in range(batch.num_rows):
                one, two = (
                    Sound(places[side][row], seconds[side][row], codes[side][row], voices[side][row], texts[side][row])
                    for side in (0, 1)
                )
                yield one, two

    def named(self, what: str, values: Iterable[Any]) -> list[dict[str, Any]]:
        """`place`, `id`, `utterance`, `seconds` and `text` of utterances, in the order of the corpus: those of which
        `what`, `place` or `utterance`, is one of the values.
        """
        wanted = pa.table({what: pa.array([*values], pa.int32() if what == "place" else pa.string())})
        self._database.register("wanted", wanted)
        found = self._database.sql(
            f"SELECT place, id, utterance, seconds, text FROM utterances SEMI JOIN wanted USING ({what}) ORDER BY place"  # noqa: S608 - see above
        )
        reader: pa.RecordBatchReader = found.to_arrow_reader(ROWS_AT_ONCE)
        rows: list[dict[str, Any]] = reader.read_all().to_pylist()
        self._database.unregister("wanted")
        return rows

    def _insert(self, name: str, rows: pa.Table) -> None:
        self._database.register("rows", rows)
        self._database.execute(f"INSERT INTO {name} SELECT * FROM rows")  # noqa: S608 - a name of this module
        self._database.unregister("rows")


def _sequences(lists: pa.ListArray) -> list[npt.NDArray[Any]]:
    """The values of each list; of a null none."""
    values, offsets = lists.values.to_numpy(zero_copy_only=False), lists.offsets.to_numpy()
    return [values[start:end] for start, end in itertools.pairwise(offsets)]
