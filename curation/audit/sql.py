"""SQL of people on the tables of a corpus: one SELECT, with limits, in a database that reads and writes nothing else.

    found = answer(Corpus.open("corpus"), "SELECT reason, count(*) FROM segments GROUP BY reason")

Each question has a database of its own, so that none sees or changes what another one left.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from curation.audit.corpus import Corpus, locked, only_reads
from curation.core.errors import ConfigError

BATCH_ROWS = 128
MOST_EXACT = 2**53
"""Of whole numbers as JSON's readers have them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a question may take."""

    rows: int = 1000
    seconds: float = 60.0
    memory_gib: float = 2.0
    """Of the database, which writes nothing to the disk where that is not enough."""
    answer_mib: float = 16.0
    """Of the rows that are returned."""
    threads: int = 2

    @property
    def settings(self) -> dict[str, str]:
        """As settings of DuckDB."""
        return {
            "memory_limit": f"'{int(self.memory_gib * 1024)}MiB'",
            "threads": str(self.threads),
            "temp_directory": "''",
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a question, as plain values that JSON can hold."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool
    """Whether there were more rows than the limit."""


def answer(corpus: Corpus, query: str, limits: Limits | None = None) -> Answer:
    """The rows of a SELECT over `segments` and `ledger`.

    Raises ConfigError for anything that is no single SELECT, that DuckDB refuses, or that takes more than the limits.
    """
    allowed = limits or Limits()
    database = locked(corpus.tables, allowed.settings)
    try:
        only_reads(query)
        with _interrupted_after(database, allowed.seconds) as late:
            try:
                found = database.sql(query).limit(allowed.rows + 1)
                return _rows(found.to_arrow_reader(BATCH_ROWS), allowed)
            except (duckdb.Error, pa.ArrowException) as error:
                if not late.is_set():
                    raise
                msg = f"the question took longer than {allowed.seconds:g} s, and was ended: ask of fewer segments"
                raise ConfigError(msg) from error
    except (duckdb.Error, pa.ArrowException) as error:
        msg = f"DuckDB says: {error}"
        raise ConfigError(msg) from error
    finally:
        database.close()


@contextmanager
def _interrupted_after(database: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[threading.Event]:
    """Ends what the database does after so long; the event says that it has."""
    late = threading.Event()

    def end() -> None:
        late.set()
        database.interrupt()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


def _rows(reader: pa.RecordBatchReader, allowed: Limits) -> Answer:
    """The rows of a result up to the limits; what comes after them is not computed."""
    rows: list[list[Any]] = []
    size = 0
    for batch in reader:
        size += batch.nbytes
        if size > allowed.answer_mib * 2**20:
            msg = f"the answer is larger than {allowed.answer_mib:g} MiB: choose columns, or add a LIMIT"
            raise ConfigError(msg)
        rows += [[plain(value) for value in row] for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]
        if len(rows) > allowed.rows:
            break
    return Answer(reader.schema.names, rows[: allowed.rows], more=len(rows) > allowed.rows)


def plain(value: Any) -> Any:
    """A value as JSON can hold it; what it has no form for becomes a text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):  # sums of whole numbers too
        whole = value == value.to_integral_value()
        return str(value) if abs(value) > MOST_EXACT else int(value) if whole else float(value)
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
