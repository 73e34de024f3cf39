"""Files appear whole or not at all, locally and on an object store, and never outside the folder."""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
