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


@pytest.fixture(params=["local", "memory", "s3"])
def out(request, tmp_path):
    if request.param == "s3":
        return Storage(request.getfixturevalue("s3_bucket") + "/out")
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


def test_a_folder_is_removed_with_all_that_is_in_it(out):
    for name in ("a.json", "deeper/b.json"):
        out.write_bytes(f"folder/{name}", b"1")
    out.write_bytes("folder2/c.json", b"1")
    for _ in range(2):
        out.remove_folder("folder")
        assert out.names("folder") == out.names("folder/deeper") == []
    assert out.names("folder2") == ["c.json"]


def test_what_another_process_writes_is_seen(out):
    assert not out.exists("folder/a")
    assert out.names("folder") == []
    Storage(out.root).write_bytes("folder/a", b"1")
    assert out.exists("folder/a")
    assert out.names("folder") == ["a"]
    Storage(out.root).remove("folder/a")
    assert not out.exists("folder/a")


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


BIG = 3 * 2**20


def write_big(out):
    table = pa.table({"audio": [os.urandom(2**20) for _ in range(BIG // 2**20)]})
    with out.table_writer("big.parquet", table.schema, 1) as writer:
        writer.add(table)
    return table


@pytest.fixture
def in_small_parts(monkeypatch):
    monkeypatch.setattr("curation.core.stores.protocols.PART_BYTES", 2**20)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 2**20)


@pytest.fixture
def bucket(s3_bucket, in_small_parts):
    return Storage(s3_bucket)


def uploads(bucket):
    return bucket._fs_and_base[0].list_multipart_uploads(bucket.root.removeprefix("s3://"))


def test_a_large_object_is_written_in_parts_and_appears_whole(bucket, s3):
    there = []
    s3.fault = lambda request: there.append("big.parquet" in str(s3.objects())) if request.query else None
    with s3.counted() as counts:
        table = write_big(bucket)
    assert bucket.read_table("big.parquet").equals(table)
    assert counts["PUT"] >= BIG // 2**20
    assert counts["POST"] == 2  # begin and complete
    assert there
    assert not any(there)
    assert uploads(bucket) == []


def test_an_upload_that_breaks_off_leaves_nothing(bucket, s3, monkeypatch):
    monkeypatch.setattr("curation.core.faults.DELAYS", (0.0,))
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    s3.fault = lambda request: 500 if "partNumber=2" in request.query else None
    with pytest.raises(StorageError, match=r"s3://.* run the same command again"):
        write_big(bucket)
    s3.fault = lambda _: None
    assert not bucket.exists("big.parquet")
    assert uploads(bucket) == []


def test_a_part_that_is_refused_is_sent_again(bucket, s3):
    refused = iter([503, 503, "reset"])
    s3.fault = lambda request: next(refused, None) if "partNumber=2" in request.query else None
    table = write_big(bucket)
    assert bucket.read_table("big.parquet").equals(table)


@pytest.mark.parametrize("kind", ["s3", "memory", "local"])
def test_an_empty_file_is_there(s3_bucket, tmp_path, kind):
    """A range of nothing is an error on S3 (416)."""
    out = Storage({"s3": s3_bucket, "memory": "memory://empty", "local": str(tmp_path)}[kind])
    out.write_bytes("f/empty", b"")
    assert out.exists("f/empty")
    assert not out.exists("f/none")


@pytest.mark.parametrize("fault", [503, 500, "reset"])
def test_a_store_that_is_busy_for_a_moment_is_waited_for(s3_bucket, s3, monkeypatch, fault):
    monkeypatch.setattr("curation.core.faults.DELAYS", (0.0,) * 6)
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    out = Storage(s3_bucket)
    busy = iter([])
    s3.fault = lambda _: next(busy, None)
    for act, expected in (
        (lambda: out.write_bytes("f/a", b"1"), None),
        (lambda: out.read_bytes("f/a"), b"1"),
        (lambda: out.names("f"), ["a"]),
        (lambda: out.exists("f/a"), True),
        (lambda: out.open("f/a").read(), b"1"),
        (lambda: out.remove("f/a"), None),
        (lambda: out.names("f"), []),
    ):
        busy = iter([fault] * 3)
        assert act() == expected
        assert next(busy, None) is None


def test_a_file_that_could_not_be_deleted_is_not_passed_over(s3_bucket, s3, monkeypatch):
    monkeypatch.setattr("curation.core.faults.DELAYS", (0.0, 0.0))
    out = Storage(s3_bucket)
    out.write_bytes("f/a", b"1")
    fs = out._fs_and_base[0]
    real, calls = fs.rm, []

    def silent_once(path, recursive):
        calls.append(path)
        if len(calls) > 1:
            real(path, recursive=recursive)

    monkeypatch.setattr(fs, "rm", silent_once)
    out.remove_folder("f")
    assert len(calls) == 2
    assert out.names("f") == []


@pytest.mark.parametrize("fault", ["no credentials", "no bucket"])
def test_what_waiting_does_not_mend_is_said_at_once(s3_bucket, s3, monkeypatch, fault):
    out = Storage(s3_bucket if fault == "no credentials" else "s3://no-such-bucket-here/out")
    monkeypatch.setattr("curation.core.faults.DELAYS", (1000.0,))
    if fault == "no credentials":
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        out._fs_and_base[0].clear_instance_cache()
        out = Storage(s3_bucket)
    for act in (lambda: out.read_bytes("x"), lambda: out.write_bytes("x", b"1")):
        with pytest.raises(StorageError, match=r"(?i)credentials|bucket does not exist"):
            act()
    out._fs_and_base[0].clear_instance_cache()
