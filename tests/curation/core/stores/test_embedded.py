"""Files inside of Parquet tables are read like any others; places that are not there are not found."""

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.stores.embedded import PROTOCOL
from curation.core.stores.protocols import file_system


@pytest.fixture
def table(tmp_path):
    sound = [{"bytes": content, "path": "x"} for content in (b"one", b"two", None)]
    columns = {"audio": pa.array(sound), "raw": pa.array([b"1", b"2", b"3"])}
    pq.write_table(pa.table(columns), tmp_path / "a b.parquet", row_group_size=2)
    return f"file://{tmp_path}/a b.parquet"


def test_rows_are_files(table):
    for place, content in (("audio/0/0", b"one"), ("audio/0/1", b"two"), ("raw/1/0", b"3")):
        url = f"{PROTOCOL}://{place}::{table}"
        with fsspec.open(url, "rb") as file:
            assert file.read() == content
        fs, path = file_system(url)
        assert fs.info(path)["size"] == len(content)


@pytest.mark.parametrize(
    "place", ["audio/1/0", "audio/0/2", "audio/5/0", "audio/-1/0", "audio/0/-1", "nothing/0/0", "audio", "audio/x/0"]
)
def test_what_is_not_there(place, table):
    fs, path = file_system(f"{PROTOCOL}://{place}::{table}")
    with pytest.raises(FileNotFoundError):
        fs.open(path, "rb")


def test_nothing_is_written(table):
    fs, path = file_system(f"{PROTOCOL}://audio/0/0::{table}")
    with pytest.raises(PermissionError):
        fs.open(path, "wb")
