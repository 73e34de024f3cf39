"""Files appear whole or not at all, locally and on an object store, and never outside the folder."""

import pytest

from curation.manifests.storage import Storage


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
