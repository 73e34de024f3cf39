"""Files appear whole or not at all, locally and on an object store, and never outside the folder."""

import errno
import hashlib
import io
import os
import resource
from contextlib import contextmanager

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from curation.core.errors import ConfigError, StorageError
from curation.core.storage import Storage


@pytest.fixture(params=["local", "memory"])
def out(request, tmp_path):
    return Storage(str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}")


def test_write_read_list_remove(out):
    out.write_json("folder/a.json", {"x": 1})
    out.write_bytes("folder/b.bin", b"123")
    assert out.read_json("folder/a.json") == {"x": 1}
    assert out.names("folder") == ["a.json", "b.bin"]
    assert out.exists("folder/b.bin")
    out.remove("folder/b.bin")
    out.remove("folder/b.bin")
    assert out.names("folder") == ["a.json"]
    assert out.names("nowhere") == []
    with pytest.raises(FileNotFoundError):
        out.read_bytes("folder/b.bin")


def test_a_folder_is_removed_once_it_is_empty(out):
    out.write_bytes("folder/a.json", b"1")
    out.remove_if_empty("folder")
    assert out.names("folder") == ["a.json"]
    out.remove("folder/a.json")
    for _ in range(2):  # the second time it is not there
        out.remove_if_empty("folder")
        if out.is_local:
            assert out.names(".") == []


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a//b"])
def test_no_name_leaves_the_folder(out, name):
    with pytest.raises(ValueError, match="leave"):
        out.write_bytes(name, b"")


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    out = Storage(str(tmp_path))
    out.write_bytes("a", b"old")

    def broken(*_):
        msg = "disk full"
        raise OSError(msg)

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        out.write_bytes("a", b"new")
    assert out.read_bytes("a") == b"old"
    assert out.names(".") == ["a"]


def test_a_table_written_in_pieces_is_the_whole_in_equal_row_groups(out):
    table = pa.table({"id": list(range(11)), "audio": [bytes([i]) * i for i in range(11)]})
    with out.table_writer("t/x.parquet", table.schema, 4) as writer:
        for start, end in ((0, 1), (1, 9), (9, 9), (9, 11)):
            writer.add(table.slice(start, end - start))
        assert not out.exists("t/x.parquet")
    content = out.read_bytes("t/x.parquet")
    assert writer.bytes == len(content)
    assert writer.sha256 == hashlib.sha256(content).hexdigest()
    metadata = pq.read_metadata(io.BytesIO(content))
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 4, 3]
    assert out.read_table("t/x.parquet").equals(table)


def test_a_table_that_breaks_off_does_not_appear(out):
    table = pa.table({"id": [1]})

    def write():
        with out.table_writer("t/x.parquet", table.schema, 1) as writer:
            writer.add(table)
            msg = "midway"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="midway"):
        write()
    assert not out.exists("t/x.parquet")
    assert out.names("t") == []


@contextmanager
def largest_file(size):
    """The kernel refuses to write more into a file, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_table_in_pieces(out):
    table = pa.table({"x": os.urandom(200_000).hex(" ").split()})
    with out.table_writer("a/t.parquet", table.schema, 10_000) as writer:
        writer.add(table)


@pytest.mark.parametrize(
    "write",
    [
        lambda out: out.write_bytes("a/b.bin", bytes(100_000)),
        lambda out: out.write_bytes("a/b.bin", bytes(100_000), durable=False),
        lambda out: out.write_json("a/b.json", "x" * 100_000),
        write_table_in_pieces,
    ],
)
def test_a_disk_that_is_full_is_a_sentence_and_leaves_nothing(tmp_path, write):
    out = Storage(str(tmp_path))
    with (
        largest_file(20_000),
        pytest.raises(StorageError, match=r"/a/[bt]\..* cannot be written \(File too large\)"),
    ):
        write(out)
    assert list((tmp_path / "a").iterdir()) == []


def test_errors_of_reading_are_not_said_to_be_of_writing(tmp_path):
    schema = pa.schema({"x": pa.int64()})
    with (
        pytest.raises(FileNotFoundError, match=r"nothing\.parquet"),
        Storage(str(tmp_path)).table_writer("a.parquet", schema, 10) as writer,
    ):
        writer.add(Storage(str(tmp_path)).read_table("nothing.parquet"))
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_takes_no_files_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    for root in (tmp_path / "file", tmp_path / "file/deeper", "/sys/x"):
        with pytest.raises(StorageError, match=f"^{root}/a/b cannot be written .*and run it again"):
            Storage(str(root)).write_bytes("a/b", b"x")


class FullBucket(MemoryFileSystem):
    """An object store that refuses every write."""

    protocol = "fullbucket"

    def pipe_file(self, *_, **__):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    put_file = pipe_file


def test_an_object_store_that_refuses_is_a_sentence():
    fsspec.register_implementation("fullbucket", FullBucket, clobber=True)
    out = Storage("fullbucket://x")
    for write in (lambda: out.write_bytes("b", b"x"), lambda: write_table_in_pieces(out)):
        with pytest.raises(StorageError, match=r"^fullbucket://x/.* \(Disk quota exceeded\): free some space"):
            write()


@pytest.mark.parametrize("root", ["", " "])
def test_an_output_without_a_name_is_not_the_current_folder(root):
    with pytest.raises(ConfigError, match="the output has no name"):
        Storage(root)


@pytest.mark.parametrize(
    ("root", "message"),
    [("s3://bucket/x", "s3://bucket/x: Install s3fs"), ("nosuch://x", "Protocol not known: nosuch")],
)
def test_a_place_that_cannot_be_reached_is_a_sentence(root, message):
    with pytest.raises(ConfigError, match=message):
        Storage(root).exists("x")
