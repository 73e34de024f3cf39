"""The utterances of a published corpus that an export takes, with their audio.

    chosen = Chosen.of("corpus", "language = 'de' AND pwer < 0.05")
    for utterance in chosen.utterances():
        ...

What is chosen is asked of `segments/`, where a query can read nothing else (`audit.corpus`). The rows come from the
shards, a row group at a time, in the order of the index; so does the audio, or else from the staged speech.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import SAMPLES, Corpus, literal
from curation.core.errors import ConfigError, DataError
from curation.core.parquet import damage_named
from curation.core.storage import Storage
from curation.export.ids import safe
from curation.manifests import index, shards
from curation.manifests.index import ShardEntry
from curation.manifests.schemas import SHARDS
from curation.manifests.selection import payload

COLUMNS = [name for name in SHARDS.names if name != "path"]
"""That are exported: paths and URLs of recordings may hold secrets, and mean nothing elsewhere."""
UNKNOWN = dict.fromkeys(name for name in COLUMNS if name != "audio")
"""A row of a corpus of a version that had none of these columns."""
KEPT = "status = 'kept'"
Place = tuple[str, int]
"""Staging file and row of an utterance."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """An utterance that is exported."""

    key: str
    """Its id as a name that is safe in paths (`ids.safe`)."""
    row: Mapping[str, Any]
    """`COLUMNS` but the audio."""
    samples: int
    audio: bytes
    """FLAC, 16 kHz mono."""

    @property
    def id(self) -> str:
        """Its id in the corpus."""
        return str(self.row["id"])

    @property
    def text(self) -> str:
        """Its text."""
        return self.row["text"] or ""

    @property
    def seconds(self) -> float:
        """Its duration."""
        return self.samples / SAMPLE_RATE


@dataclass(frozen=True)
class Chosen:
    """Utterances of a corpus."""

    corpus: Corpus
    condition: str
    """SQL over `segments`."""
    count: int
    samples: int
    languages: Sequence[str]
    """Of them."""

    @classmethod
    def of(cls, root: str, where: str = "", split: str = "", tiers: Sequence[str] = ()) -> Self:
        """The kept utterances that fulfil a condition, of a split and of some tiers; empty: of all. Raises ConfigError
        for what cannot be asked, or where there are none.
        """
        corpus = Corpus.open(root)
        _check_portion(corpus, split, tiers)
        of_split = [f"split = {literal(split)}"] if split else []
        of_tiers = [f"tier IN ({', '.join(map(literal, tiers))})"] if tiers else []
        condition = " AND ".join([KEPT, *of_split, *of_tiers, *([f"(\n{where}\n)"] if where else [])])
        totals = _totals(corpus, condition)
        if not totals["count"]:
            asked = {"--split": split, "--tier": ", ".join(tiers), "--where": where}
            what = " and ".join(f"{name} {value}" for name, value in asked.items() if value)
            msg = f"{root}: no kept utterance" + (f" fulfils {what}" if what else ": nothing to export")
            raise ConfigError(msg)
        return cls(corpus, condition, **totals)

    @property
    def splits(self) -> list[str]:
        """That the utterances are in; none where the corpus has none."""
        query = f"SELECT DISTINCT split FROM segments WHERE {self.condition} AND split IS NOT NULL ORDER BY split"
        return [row["split"] for row in self.corpus.ask(query)]

    def utterances(self) -> Iterator[Utterance]:
        """All of them. Raises ConfigError where one has no audio; DataError where the corpus is damaged, or was
        published anew meanwhile.
        """
        found = samples = 0
        for rows in self._rows():
            audio = rows["audio"].to_pylist()
            for row, content in zip(rows.drop_columns(["audio"]).to_pylist(), audio, strict=True):
                one = Utterance(safe(row["id"]), UNKNOWN | row, round(row["seconds"] * SAMPLE_RATE), content)
                found, samples = found + 1, samples + one.samples
                yield one
        if (found, samples) != (self.count, self.samples):
            msg = (
                f"{self.corpus.root}: {found} utterances in the shards fulfil the condition, {self.count} in the "
                "segments: a condition may not change from look to look (random()); else publish the corpus again"
            )
            raise DataError(msg)

    def _rows(self) -> Iterator[pa.Table]:
        """The chosen rows of each row group."""
        out = Storage(self.corpus.root)
        for entry in self.corpus.index.shards:
            name = f"{shards.FOLDER}/{entry.file}"
            try:
                with damage_named(f"{out.root}/{name}", index.REMEDY), out.open_table(name) as file:
                    places = self._places(file.read(columns=["id"])["id"].to_pylist(), entry)
                    for group in range(file.num_row_groups if places else 0):
                        rows = file.read_row_group(group, columns=COLUMNS).replace_schema_metadata()
                        mine = rows.filter(pc.is_in(rows["id"], value_set=pa.array(places, pa.string())))
                        if mine.num_rows:
                            yield _with_audio(out, mine, places)
            except FileNotFoundError as error:
                msg = f"{out.root}/{name} is not there: export again if the corpus was published meanwhile; else " + (
                    index.REMEDY
                )
                raise DataError(msg) from error

    def _places(self, ids: Sequence[str], entry: ShardEntry) -> dict[str, Place]:
        """Of the utterances of a shard those that are chosen, with their staging files."""
        if len(ids) != entry.rows:
            name = f"{self.corpus.root}/{shards.FOLDER}/{entry.file}"
            msg = f"{name}: {len(ids)} rows, the index says {entry.rows}: {index.REMEDY}"
            raise DataError(msg)
        if not ids:
            return {}
        query = f"""SELECT id, coalesce(staging_file, '') AS file, coalesce(staging_row, 0) AS row FROM segments
            WHERE id BETWEEN $first AND $last AND id IN (SELECT unnest($ids)) AND {self.condition}"""
        found = self.corpus.ask(query, {"ids": ids, "first": min(ids), "last": max(ids)})
        return {row["id"]: (row["file"], row["row"]) for row in found}


def _check_portion(corpus: Corpus, split: str, tiers: Sequence[str]) -> None:
    if split and corpus.index.split is None:
        msg = f"--split: {corpus.root} has no splits: `curation split {corpus.root} --dev 5h --test 5h` makes them"
        raise ConfigError(msg)
    unknown = sorted({*tiers} - {*corpus.index.tiers})
    if unknown:
        known = ", ".join(corpus.index.tiers) or "none: publish it with publish.tiers"
        msg = f"--tier: {corpus.root} has no tier {unknown[0]!r}; it has {known}"
        raise ConfigError(msg)


def _totals(corpus: Corpus, condition: str) -> dict[str, Any]:
    """How many utterances fulfil a condition, their samples, and their languages."""
    query = f"""SELECT count(*) AS count, CAST(coalesce(sum({SAMPLES}), 0) AS BIGINT) AS samples,
        coalesce(list(DISTINCT language ORDER BY language) FILTER (language <> ''), []) AS languages
        FROM segments WHERE {condition}"""
    try:
        if len(duckdb.extract_statements(query)) != 1:
            msg = "it is more than one condition"
            raise ConfigError(msg)
        (found,) = corpus.ask(query)
    except (duckdb.Error, ConfigError) as error:
        reason = str(error).partition("\n")[0]
        msg = (
            f"--where: {reason}: write a condition of SQL over the columns of segments, such as \"language = 'de' AND "
            'pwer < 0.05" (see `curation schema`)'
        )
        raise ConfigError(msg) from error
    return found


def _with_audio(out: Storage, rows: pa.Table, places: Mapping[str, Place]) -> pa.Table:
    """The rows with the audio of each: that of the shard, else the staged one."""
    if not rows["audio"].null_count:
        return rows
    ids = rows["id"].to_pylist()
    where = pa.table(
        {
            "id": rows["id"],
            "file": pa.array([places[one][0] for one in ids], pa.string()),
            "place": pa.array([places[one][1] for one in ids], pa.int64()),
        }
    )
    try:
        audio = payload(out, where, ["audio"])["audio"]
    except DataError as error:
        if all(places[one][0] for one in ids) and not isinstance(error.__cause__, FileNotFoundError):
            raise
        audio = pa.chunked_array([pa.nulls(len(ids), pa.binary())])
    audio = pc.coalesce(rows["audio"], audio)
    if audio.null_count:
        msg = (
            f"{out.root} has no audio of {ids[audio.is_null().to_pylist().index(True)]}: neither do its shards hold any"
            " (publish.audio), nor is its speech staged (engine.staging_audio): export where the corpus was built, or "
            f"build it with `--set publish.audio=true`"
        )
        raise ConfigError(msg)
    return rows.set_column(rows.column_names.index("audio"), "audio", audio)
