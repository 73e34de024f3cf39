"""A corpus is what its index names, and a query sees nothing else."""

import shutil
from dataclasses import replace

import duckdb
import pyarrow.parquet as pq
import pytest

from curation.audit.corpus import KEY, Corpus
from curation.core.errors import ConfigError, DataError
from curation.core.storage import Storage
from tests.support.builds import rows


@pytest.fixture(scope="module")
def corpus(story):
    return Corpus.open(str(story / "out"))


def test_the_tables_are_segments_and_ledger(corpus, story):
    for table in ("segments", "ledger"):
        assert corpus.ask(f"SELECT count(*) AS n FROM {table}") == [{"n": len(rows(story / "out", table))}]
    index = Storage(str(story / "out")).read_json("shards/_index.json")
    assert {rule.field: rule.threshold for rule in corpus.rules} == index["thresholds"]


def test_values_are_bound(corpus):
    hostile = "x' OR true --"
    assert corpus.ask("SELECT id FROM segments WHERE id = ?", [hostile]) == []
    assert corpus.ask("SELECT count(*) AS n FROM segments WHERE language = $l", {"l": "zh"}) == [{"n": 1}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_parquet('{folder}/out/shards/*.parquet')",
        "COPY segments TO '{folder}/copy.csv'",
        "COPY (SELECT 1) TO '{folder}/out/segments/part-000000.parquet' (FORMAT parquet, USE_TMP_FILE false)",
        "ATTACH '{folder}/new.db'",
        "INSTALL httpfs",
        "LOAD '{secret}'",
        "SET enable_external_access = true",
        "SET allowed_paths = ['{secret}']",
        "RESET lock_configuration",
        "SELECT * FROM hostage",
    ],
)
def test_a_query_reaches_no_other_file_and_no_setting(corpus, story, query):
    secret = story / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    hostage = corpus.ask("SELECT 1 AS one")  # a Python variable, which DuckDB would find by its name
    with pytest.raises((duckdb.Error, ConfigError)):
        corpus.ask(query.format(secret=secret, folder=story))
    assert hostage == [{"one": 1}]
    assert not (story / "copy.csv").exists()
    assert not (story / "new.db").exists()


def test_files_that_the_index_does_not_name_are_not_the_corpus(story, tmp_path):
    out = tmp_path / "out [1]*"  # no pattern
    shutil.copytree(story / "out", out)
    part = out / "segments/part-000000.parquet"
    shutil.copy(part, part.with_name("part-000000-v2.parquet"))
    assert Corpus.open(str(out)).ask("SELECT count(*) AS n FROM segments")[0]["n"] == len(
        rows(story / "out", "segments")
    )
    part.unlink()
    with pytest.raises(DataError, match=r"segments is not whole.*publish it again with `curation build -o"):
        Corpus.open(str(out))


def test_what_is_no_corpus_is_said(story, tmp_path):
    with pytest.raises(ConfigError, match="holds no finished build"):
        Corpus.open(str(tmp_path))
    older = Storage(str(tmp_path / "older"))
    index = Storage(str(story / "out")).read_json("shards/_index.json")
    older.write_json("shards/_index.json", {**index, "segments": []})
    with pytest.raises(
        ConfigError, match=r"without segments: publish it again .*older`.* or build into another folder"
    ):
        Corpus.open(older.root)


def test_a_corpus_of_a_version_without_a_column_is_named_with_the_remedy(story, tmp_path):
    shutil.copytree(story / "out", tmp_path / "older")
    for path in (tmp_path / "older/segments").iterdir():
        pq.write_table(pq.read_table(path).drop_columns("marked"), path)
    with pytest.raises(
        ConfigError, match=r"without the column marked: publish it again with `curation build -o .*older`"
    ):
        Corpus.open(str(tmp_path / "older"))


@pytest.mark.parametrize("change", [{"breaks": "= 1 OR pwer >"}, {"threshold": "0"}, {"score": None}])
def test_a_damaged_rule_is_named_and_never_becomes_a_query(corpus, change):
    damaged = replace(corpus, index=replace(corpus.index, rules=[{**corpus.index.rules[0], **change}]))
    with pytest.raises(
        DataError, match=rf"_index\.json: a rule is damaged \({next(iter(change))}: .* publish it again"
    ):
        _ = damaged.rules


def test_a_corpus_in_an_object_store_is_read_too(story, s3_bucket):
    out = Storage(s3_bucket)
    for folder in ("segments", "ledger", "shards"):
        for path in (story / "out" / folder).iterdir():
            out.write_bytes(f"{folder}/{path.name}", path.read_bytes())
    assert Corpus.open(s3_bucket).ask("SELECT count(*) AS n FROM segments WHERE status = 'kept'") == [{"n": 10}]


def test_every_row_has_a_key_of_its_own(corpus, story):
    keys = [row["key"] for row in corpus.ask(f"SELECT {KEY} AS key FROM segments")]
    assert len({*keys}) == len(keys)
    assert "silent-0000000000-0000024000" in keys
    assert {row["id"] for row in rows(story / "out", "segments")} - {None} <= {*keys}


def test_a_score_without_a_column_is_found_in_the_list(corpus):
    expression = corpus.value("recording.level")
    (row,) = corpus.ask(f"SELECT DISTINCT {expression} AS level FROM segments WHERE id IS NOT NULL")
    assert row == {"level": -20.0}
    assert corpus.value("transcribe.systems") == '"systems"'
