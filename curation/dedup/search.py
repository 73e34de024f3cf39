"""Pairs of utterances with similar codes or words: locality-sensitive hashing in a database on disk, for any number.

    with Search(settings) as search:
        search.add(table)                       # rows of shards, in the order of the corpus
        for pair in search.pairs(): ...

An utterance has a sketch of its codes, and one of its words where it has enough of them; utterances that agree in a
value of a sketch are candidates. Of those that agree each is compared with its neighbours by the voice and with the
first of them only, so that a sentence that everybody says costs no more than others.
"""

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.dedup.sketch import sketches
from curation.manifests.columns.maps import one_chunk

LIMITS = {
    "memory_limit": "256MB",
    "threads": "1",
    "python_enable_replacements": "false",
    "preserve_insertion_order": "false",
}
UTTERANCES = """
CREATE TABLE utterances(place INTEGER, id VARCHAR, utterance VARCHAR, seconds DOUBLE, codes INTEGER[], voice FLOAT[],
                        text VARCHAR, words INTEGER[], times FLOAT[])
"""
CANDIDATES = """
INSERT INTO candidates SELECT least(one, two), greatest(one, two) FROM (
    SELECT place AS two, unnest([lag(place) OVER same, first_value(place) OVER same]) AS one
    FROM sketches SEMI JOIN (SELECT {band} FROM sketches GROUP BY {band} HAVING count(*) > 1) USING ({band})
    WINDOW same AS (PARTITION BY {band} ORDER BY {voice}, place)) WHERE one <> two
"""
COLUMNS = ["id", "utterance", "seconds", "codes", "voice", "text", "words", "times"]
COMPARED = ["place", "seconds", "codes", "voice", "text", "words", "times"]
PAIRS = f"""
SELECT {", ".join(f"{side}.{name}" for side in "ab" for name in COMPARED)}
FROM (SELECT DISTINCT one, two FROM candidates) JOIN utterances a ON one = a.place JOIN utterances b ON two = b.place
WHERE CASE WHEN len(a.voice) = len(b.voice) AND len(a.voice) > 0 THEN list_inner_product(a.voice, b.voice) >= $voice
      ELSE true END
"""  # noqa: S608 - names of this module
ROWS_AT_ONCE = 2**12
"""Pairs, with their codes."""
VOICES = 8
"""Values of the speaker embedding by which neighbours are found."""
VOICE_NAMES = [f"voice_{number}" for number in range(VOICES)]


@dataclass(frozen=True, slots=True)
class Sketching:
    """How candidates are found."""

    codes: int = 48
    """Values of a sketch of the codes."""
    codes_length: int = 3
    """Codes of an n-gram."""
    words: int = 16
    """Values of a sketch of the words."""
    words_length: int = 4
    """Words of an n-gram; fewer have no sketch."""


class Sound(NamedTuple):
    """What is compared of an utterance."""

    place: int
    """In the order of the corpus."""
    seconds: float
    codes: npt.NDArray[np.int32]
    voice: npt.NDArray[np.float32]
    text: str
    words: npt.NDArray[np.int32]
    """A number for each word, the same for the same letters (`dedup.words`)."""
    times: npt.NDArray[np.float32]
    """(words, 2): where they start and end, in seconds."""


class Search:
    """See the module."""

    def __init__(self, sketching: Sketching) -> None:
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "search.duckdb"
        self._database = duckdb.connect(str(file), config={**LIMITS, "temp_directory": self._folder.name})
        self._sketching, self.count = sketching, 0
        names = [f"codes_{number}" for number in range(sketching.codes)]
        self._bands = [*names, *(f"words_{number}" for number in range(sketching.words))]
        columns = [f"voice_{number} FLOAT" for number in range(VOICES)] + [f"{name} UBIGINT" for name in self._bands]
        self._database.execute(UTTERANCES)
        self._database.execute(f"CREATE TABLE sketches(place INTEGER, {', '.join(columns)})")

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
        codes, words, voices = (_sequences(one_chunk(rows[name])) for name in ("codes", "words", "voice"))
        sketching, length = self._sketching, self._sketching.words_length
        sketch = sketches(codes, sketching.codes_length, sketching.codes)
        said = np.array([len(found) >= length for found in words])
        texts = np.zeros((len(words), sketching.words), np.uint64)
        texts[said] = sketches([found for found in words if len(found) >= length], length, sketching.words)
        columns = [places, *_first_values(voices).T, *sketch.T, *(pa.array(values, mask=~said) for values in texts.T)]
        self._insert("sketches", pa.table(columns, names=["place", *VOICE_NAMES, *self._bands]))

    def pairs(self, voice: float = -1.0) -> Iterator[tuple[Sound, Sound]]:
        """The candidates, each with the earlier one first, but those whose voices are less alike than that (cosine)."""
        self._database.execute("CREATE OR REPLACE TABLE candidates(one INTEGER, two INTEGER)")
        for number, band in enumerate(self._bands):
            self._database.execute(CANDIDATES.format(band=band, voice=VOICE_NAMES[number % VOICES]))
        found: pa.RecordBatchReader = self._database.sql(PAIRS, params={"voice": voice}).to_arrow_reader(ROWS_AT_ONCE)
        for batch in found:
            columns = [_values(batch.column(number)) for number in range(batch.num_columns)]
            for row in zip(*columns, strict=True):
                yield _sound(row[: len(COMPARED)]), _sound(row[len(COMPARED) :])

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


def _sound(values: Sequence[Any]) -> Sound:
    sound = Sound(*values)
    return sound._replace(times=sound.times.reshape(-1, 2))


def _values(column: pa.Array) -> list[Any]:
    return _sequences(column) if pa.types.is_list(column.type) else column.to_pylist()


def _first_values(voices: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """(voices, VOICES): of each as many values; 0 where it has fewer."""
    return np.stack([np.pad(voice[:VOICES], (0, max(0, VOICES - len(voice)))) for voice in voices])
