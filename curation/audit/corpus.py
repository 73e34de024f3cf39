"""The segments and the ledger of a corpus as tables of DuckDB.

    corpus = Corpus.open("corpus")
    corpus.ask("SELECT reason, sum(seconds) AS seconds FROM segments WHERE language = ? GROUP BY ALL", ["de"])

Only what the index names is the corpus. The database is in memory and locked: queries read the registered tables, no
other file and no network, and cannot change the settings that say so.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError, DataError
from curation.core.parquet import damage_named
from curation.core.records import typed
from curation.core.storage import Storage
from curation.core.stores.protocols import file_system
from curation.manifests import ledger
from curation.manifests.index import FILE as INDEX
from curation.manifests.index import ShardIndex, finished_index
from curation.manifests.schemas import SEGMENT_COLUMNS, SEGMENT_REST, VOICE
from curation.manifests.segments import table as segments
from curation.manifests.verdicts import Rule

LOCKED = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}
KEY = f"""coalesce(id, printf('%s-%010d-%010d', recording_id, CAST(round(start * {SAMPLE_RATE}) AS BIGINT),
    CAST(round("end" * {SAMPLE_RATE}) AS BIGINT)))"""
"""A name for every row: what was never a segment has no id, and is called as if it had been one."""
UNNAMED = re.compile(r"(?P<recording>.+)-\d{10,}-\d{10,}", re.DOTALL)
"""What `KEY` calls a row without an id."""
SAMPLES = f"CAST(round(seconds * {SAMPLE_RATE}) AS BIGINT)"
"""Durations are added as whole samples: then the sums do not depend on the order."""


@dataclass(frozen=True)
class Corpus:
    """Two tables: `segments`, and `ledger`, which has the non-speech too."""

    root: str
    index: ShardIndex
    scores: Mapping[str, str]
    """Name of the score of each column that has one."""
    tables: Mapping[str, ds.Dataset]
    database: duckdb.DuckDBPyConnection

    @classmethod
    def open(cls, root: str) -> Self:
        """Open a published corpus, local or remote. Raises ConfigError where there is none, or one without segments."""
        out = Storage(root)
        index = published(out)
        tables = {"segments": segment_table(out, index), "ledger": _dataset(out, ledger.FOLDER, index.ledger)}
        found = segments.scores_of(tables["segments"].schema)
        return cls(root, index, found, tables, locked(tables))

    @property
    def rules(self) -> list[Rule]:
        """The rules that judged it, in the order of their bits. Raises DataError where the index says none of ours."""
        names = [item.name for item in fields(Rule)]
        try:
            return [typed(Rule, {name: rule[name] for name in names if name in rule}) for rule in self.index.rules]
        except ValueError as error:
            msg = f"{self.root}/{INDEX}: a rule is damaged ({error}): {publish_again(self.root)}"
            raise DataError(msg) from error

    def value(self, score: str) -> str:
        """A score as an expression of SQL over `segments`."""
        return value_of(score, self.scores)

    def ask(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query, whose parameters are bound. Raises ConfigError for what is no single SELECT."""
        only_reads(query)
        return asked(self.database, query, parameters)


def published(out: Storage) -> ShardIndex:
    """The index of a corpus that has segments. Raises ConfigError for any other."""
    index = finished_index(out)
    if not index.segments:
        msg = f"{out.root} was published without segments: {publish_again(out.root)}"
        raise ConfigError(msg)
    return index


def segment_table(out: Storage, index: ShardIndex) -> ds.Dataset:
    """The segments that an index names. Raises DataError where they are damaged, ConfigError where columns lack that
    are asked for.
    """
    found = _dataset(out, segments.FOLDER, index.segments)
    wanted = [item.name for item in (*SEGMENT_COLUMNS, *SEGMENT_REST) if item != VOICE]
    missing = [name for name in wanted if name not in found.schema.names]
    if missing:
        msg = (
            f"{out.root} was published by an older version, without the column {missing[0]}: {publish_again(out.root)}"
        )
        raise ConfigError(msg)
    return found


def locked(tables: Mapping[str, ds.Dataset], limits: Mapping[str, str] | None = None) -> duckdb.DuckDBPyConnection:
    """A database of these tables that can read nothing else; `limits` are further settings, as SQL writes them.

    Files of this machine are read by DuckDB itself, in a tenth of the time and memory; others through their store.
    """
    database = duckdb.connect()
    files = {name: _local_files(table) for name, table in tables.items()}
    database.execute(f"SET allowed_paths = {_listed(path for paths in files.values() for path in paths)}")
    for name, table in tables.items():
        if files[name]:
            database.execute(f"CREATE TEMP VIEW {quoted(name)} AS SELECT * FROM read_parquet({_listed(files[name])})")
        else:
            database.register(name, table)
    for setting, value in {**(limits or {}), **LOCKED}.items():
        database.execute(f"SET {setting} = {value}")
    return database


def _local_files(table: ds.Dataset) -> list[str]:
    """The files of a table that lies on this machine; none where it does not."""
    is_local = isinstance(table, ds.FileSystemDataset) and isinstance(table.filesystem, LocalFileSystem)
    return list(table.files) if is_local else []


def _listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]"


def only_reads(query: str) -> None:
    """Raise ConfigError for all but one SELECT: what may be read could be written too."""
    found = duckdb.extract_statements(query)
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        msg = "a question is one SELECT over the tables segments and ledger"
        raise ConfigError(msg)


def asked(
    database: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> list[dict[str, Any]]:
    """The rows of a query by column."""
    found = database.execute(query, parameters)
    names = [item[0] for item in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def named(database: duckdb.DuckDBPyConnection, names: Iterable[str], columns: str = "*") -> dict[str, dict[str, Any]]:
    """The segments that `KEY` calls so, by their names; what there is not is left out.

    First by ids, then by recordings: only those parts of the files are read that may have them.
    """
    ids = list(dict.fromkeys(names))
    found = _where(database, f"id IN ({_places(ids)})", ids, columns)
    others = {name: key["recording"] for name in ids if name not in found and (key := UNNAMED.fullmatch(name))}
    where = f"recording_id IN ({_places(others)}) AND id IS NULL AND {KEY} IN ({_places(others)})"
    return {**found, **_where(database, where, [*others.values(), *others], columns)}


def _where(
    database: duckdb.DuckDBPyConnection, condition: str, values: Sequence[str], columns: str
) -> dict[str, dict[str, Any]]:
    if not values:
        return {}
    rows = asked(database, f"SELECT {KEY} AS key, {columns} FROM segments WHERE {condition}", values)
    return {row.pop("key"): row for row in rows}


def _places(values: Collection[Any]) -> str:
    """Places of so many parameters."""
    return ", ".join("?" * len(values))


def value_of(score: str, columns: Mapping[str, str]) -> str:
    """A score as an expression of SQL: its column, by `columns` (column: score), or its value in the list `scores`."""
    column = next((column for column, name in columns.items() if name == score), None)
    if column is not None:
        return quoted(column)
    found = f"list_filter(scores, lambda item: item.name = {literal(score)})[1].value"
    return f"nullif({found}, 'nan'::DOUBLE)"  # which is no measurement, as `manifests.verdicts` has it


def quoted(name: str) -> str:
    """A column's name in a query."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A name of ours as a text in a query; values of users are bound instead."""
    return "'" + text.replace("'", "''") + "'"


def publish_again(root: str) -> str:
    """What helps where a corpus lacks what this version would have written."""
    return (
        f"publish it again with `curation build -o {root}`; if its labels are of another version too, use that "
        "version, or build into another folder"
    )


def _dataset(out: Storage, folder: str, names: Sequence[str]) -> ds.Dataset:
    store, _ = file_system(out.root)
    remedy = f"publish it again with `curation build -o {out.root}`"
    try:
        with damage_named(f"{out.root}/{folder}", remedy):
            return ds.dataset([out.path(f"{folder}/{name}") for name in names], filesystem=store, format="parquet")
    except (FileNotFoundError, pa.ArrowException) as error:
        msg = f"{out.root}/{folder} is not whole ({error}): {remedy}"
        raise DataError(msg) from error
