"""A build opens in the tools that its users have."""

import re
import shutil
from pathlib import Path

import datasets
import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pytest

from tests.support.builds import count, toy_build, toy_config, write_recordings


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = write_recordings(tmp_path_factory.mktemp("in"), ["alpha", "beta", "gamma"])
    out = tmp_path_factory.mktemp("out") / "corpus"
    config = toy_config()
    publish = config.publish.model_copy(update={"shard_hours": 2 / 3600, "audio": True})
    toy_build(folder, out, config.model_copy(update={"publish": publish}))
    assert len(list((out / "shards").glob("*.parquet"))) > 1
    return out


def test_pyarrow_dataset_and_pandas_read_the_folder(built):
    assert ds.dataset(built / "shards").count_rows() == count(built, "kept")
    frame = pd.read_parquet(built / "shards")
    assert list(frame["id"]) == sorted(frame["id"])
    assert frame["seconds"].sum() > 0


def test_datasets_reads_the_files(built, tmp_path):
    files = str(built / "shards/*.parquet")
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert len(loaded) == count(built, "kept")
    assert {score["name"] for score in loaded[0]["scores"]} >= {"pwer", "boundary.cut"}


def test_duckdb_asks_questions(built):
    [(pwer,)] = duckdb.sql(f"SELECT max(map_from_entries(scores)['pwer']) FROM '{built}/shards/*.parquet'").fetchall()
    assert 0 < pwer < 0.15
    accounted = duckdb.sql(
        f"SELECT status, reason, sum(seconds) FROM '{built}/ledger/*.parquet' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert {status for status, _, _ in accounted} >= {"kept", "rejected", "non_speech"}


def test_segments_open_in_every_reader(built, tmp_path):
    files = f"{built}/segments/*.parquet"
    [(kept, worst)] = duckdb.sql(
        f"SELECT count(*) FILTER (status = 'kept'), max(pwer) FILTER (status = 'kept') FROM '{files}'"
    ).fetchall()
    assert (kept, 0 < worst < 0.15) == (count(built, "kept"), True)
    frame = pd.read_parquet(built / "segments")
    assert (frame["status"] == "kept").sum() == kept
    assert ds.dataset(built / "segments").count_rows() == len(frame) > kept
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert loaded["id"][:] == frame["id"].tolist()


def test_duckdb_reads_what_the_index_names(built, tmp_path):
    """Beside the corpus lie files of an edition that is not finished."""
    out = tmp_path / "out"
    shutil.copytree(built, out)
    [(whole,)] = duckdb.sql(f"SELECT count(*) FROM '{out}/shards/*.parquet'").fetchall()
    for path in list((out / "shards").glob("*.parquet")):
        shutil.copy(path, path.with_name(f"{path.stem}-v2.parquet"))
    page = (Path(__file__).parents[2] / "docs/how-to/open-shards.md").read_text()
    (script,) = re.findall(r"```sql\n(SET VARIABLE .*?)```", page, re.DOTALL)
    [(found,)] = duckdb.execute(script.replace("corpus/", f"{out}/")).fetchall()
    assert found == whole > 0
