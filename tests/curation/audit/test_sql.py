"""SQL of people: one SELECT over the tables of the corpus, which reads nothing else and ends at its limits."""

import pytest

from curation.audit.corpus import Corpus
from curation.audit.sql import Limits, answer
from curation.core.errors import ConfigError


@pytest.fixture(scope="module")
def opened(corpus):
    return Corpus.open(str(corpus))


def test_rows_are_plain_values_up_to_the_limit(opened):
    found = answer(opened, "SELECT id, seconds FROM segments WHERE status = 'kept' ORDER BY id", Limits(rows=3))
    assert (found.columns, len(found.rows), found.more) == (["id", "seconds"], 3, True)
    whole = answer(opened, "SELECT count(*) AS n FROM segments WHERE status = 'kept'")
    assert (whole.rows, whole.more) == ([[10]], False)
    odd = f"SELECT 'nan'::DOUBLE, NULL, 1::HUGEINT, {{'a': [1.5]}}, DATE '2026-11-27', {2**127 - 1}"
    assert answer(opened, odd).rows == [["nan", None, 1, {"a": [1.5]}, "2026-11-27", str(2**127 - 1)]]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM sniff_csv('{secret}')",
        "SELECT * FROM parquet_metadata('{folder}/out/shards/*.parquet')",
        "SELECT * FROM query('COPY segments TO ''{folder}/copy.csv''')",
        "SELECT * FROM sqlite_scan('{folder}/new.db', 't')",
        "SELECT getenv('HOME')",
        "SELECT * FROM hostage",
        "COPY segments TO '{folder}/copy.csv'",
        "COPY (SELECT 1) TO '{folder}/copy.csv'",
        "COPY (SELECT 1) TO '{folder}/out/segments/part-000000.parquet' (FORMAT parquet, USE_TMP_FILE false)",
        "SELECT * FROM read_parquet('{folder}/out/shards/*.parquet')",
        "EXPORT DATABASE '{folder}/copy.csv'",
        "ATTACH '{folder}/new.db'",
        "INSTALL httpfs",
        "LOAD '{secret}'",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CREATE VIEW v AS SELECT * FROM glob('{folder}/*')",
        "CREATE OR REPLACE TEMP TABLE segments AS SELECT 1",
        "DROP VIEW segments",
        "SELECT 1; COPY segments TO '{folder}/copy.csv'",
        "",
        "nonsense",
    ],
)
def test_nothing_but_the_corpus_is_read_and_nothing_is_written(opened, story, query):
    secret = story / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    hostage = answer(opened, "SELECT 1 AS one")  # a Python variable, which DuckDB would find by its name
    with pytest.raises(ConfigError, match=r"DuckDB says|one SELECT"):
        answer(opened, query.format(secret=secret, folder=story))
    assert hostage.rows == [[1]]
    assert not (story / "copy.csv").exists()
    assert not (story / "new.db").exists()


@pytest.mark.parametrize(
    ("query", "limits", "message"),
    [
        ("SELECT count(*) FROM range(1000000000000)", Limits(seconds=0.2), r"longer than 0\.2 s"),
        ("SELECT list(n) FROM range(100000000) t(n)", Limits(memory_gib=0.0625), "Out of Memory"),
        ("SELECT repeat('a', 1000000) FROM range(9)", Limits(answer_mib=4), "larger than 4 MiB"),
    ],
)
def test_limits_end_a_question_and_not_the_next_one(opened, query, limits, message):
    with pytest.raises(ConfigError, match=message):
        answer(opened, query, limits)
    assert answer(opened, "SELECT 1", limits).rows == [[1]]


def test_of_an_endless_answer_only_the_first_rows_are_computed(opened):
    found = answer(opened, "SELECT * FROM range(1000000000000)", Limits(rows=2, seconds=20))
    assert (found.rows, found.more) == ([[0], [1]], True)
