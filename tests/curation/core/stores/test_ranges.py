"""Of a remote file, the bytes that are asked for are read, in few requests."""

import io

import numpy as np
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.core.stores import ranges
from curation.core.stores.ranges import RangedFile


@given(
    content=st.binary(max_size=40),
    steps=st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, 45), st.integers(-1, 45)), max_size=8),
    tail=st.integers(1, 50),
)
def test_reads_as_a_file_does(content, steps, tail):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "TAIL_BYTES", tail)
        file, expected = RangedFile(lambda start, end: content[start:end], lambda: len(content)), io.BytesIO(content)
    for whence, offset, size in steps:
        place = -min(offset, len(content)) if whence == io.SEEK_END else offset
        assert file.seek(place, whence) == expected.seek(place, whence)
        assert file.read(size) == expected.read(size)
        assert file.tell() == expected.tell()


@pytest.fixture
def out(s3_bucket):
    return Storage(f"{s3_bucket}/out")


def test_light_columns_are_read_without_the_heavy_ones(out, s3):
    rows, chance = 5000, np.random.default_rng(0)
    audio = [chance.bytes(1000) for _ in range(rows)]
    table = pa.table({"id": range(rows), "audio": audio, "score": chance.random(rows)})
    with out.table_writer("t.parquet", table.schema, 1000) as writer:
        writer.add(table)
    with s3.counted() as counts:
        light = out.read_table("t.parquet", ["id", "score"])
    assert light.equals(table.select(["id", "score"]))
    assert counts["bytes"] < writer.bytes / 10
    assert counts["GET"] <= 6  # the tail, and one for each of five row groups at most
    assert counts["HEAD"] == 1
    assert out.read_table("t.parquet").equals(table)


def test_a_small_table_is_one_request(out, s3):
    out.write_table("t.parquet", pa.table({"id": [1, 2], "text": ["a", "b"]}))
    with s3.counted() as counts:
        assert out.read_table("t.parquet", ["text"]).to_pydict() == {"text": ["a", "b"]}
    assert (counts["GET"], counts["HEAD"], counts["LIST"]) == (1, 0, 0)


def test_an_empty_and_an_absent_file(out):
    out.write_bytes("empty", b"")
    with out.open("empty") as file:
        assert file.read() == b""
    with pytest.raises(FileNotFoundError):
        out.open("absent")
    with pytest.raises(FileNotFoundError):
        out.read_table("absent.parquet")


def test_a_store_without_a_range_longer_than_the_file_is_asked_for_all_of_it():
    def fetch(start, end):
        if (start, end) != (None, None):
            raise OSError from ClientError({"ResponseMetadata": {"HTTPStatusCode": 416}}, "GetObject")
        return b"short"

    assert RangedFile(fetch, lambda: 5).read() == b"short"
