"""Reading a model's archive: only what is needed, within limits, and a clear error where it is damaged."""

import zipfile

import pytest

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct import archive as archive_module
from curation.stages.punctuate.mfa.direct.archive import read_model
from tests.support.checkpoints.tiny_mfa import tiny_files, write_tiny


def test_a_zip_and_its_folder_are_the_same(tmp_path):
    files = tiny_files()
    path = write_tiny(tmp_path / "tiny.zip", {**files, "rules.yaml": b"x"})
    (tmp_path / "folder").mkdir()
    for name, content in files.items():
        (tmp_path / "folder" / name).write_bytes(content)
    assert read_model(path) == read_model(tmp_path / "folder") == files


def test_nothing_is_unpacked_and_names_lead_nowhere(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for name in ("../../tree", "/final.mdl", "..\\evil", "a/meta.json"):
            archive.writestr(name, name)
    assert read_model(tmp_path / "model.zip") == {
        "tree": b"../../tree",
        "final.mdl": b"/final.mdl",
        "meta.json": b"a/meta.json",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]


def test_damaged_archives_are_named(tmp_path):
    good = write_tiny(tmp_path / "good.zip", tiny_files()).read_bytes()
    path = tmp_path / "model.zip"
    for content in (b"", b"PK nothing", good[: len(good) // 2], good.replace(b"Topology", b"topology")):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.zip is not a model of Montreal Forced Aligner"):
            read_model(path)
    with pytest.raises(ModelError, match=r"nowhere\.zip is not a model"):
        read_model(tmp_path / "nowhere.zip")


@pytest.mark.parametrize("lacking", ["tree", "final.mdl"])
def test_another_archive_is_told_from_an_acoustic_model(tmp_path, lacking):
    files = tiny_files()
    del files[lacking]
    with pytest.raises(ModelError, match=f"not an acoustic model of Montreal Forced Aligner: {lacking} not in it"):
        read_model(write_tiny(tmp_path / "g2p.zip", files))


def test_limits(tmp_path, monkeypatch):
    path = write_tiny(tmp_path / "model.zip", {**tiny_files(), "tree": bytes(10**6)})  # compresses to nothing
    size = sum(map(len, read_model(path).values()))
    monkeypatch.setattr(archive_module, "MAX_BYTES", size)
    assert len(read_model(path)["tree"]) == 10**6
    monkeypatch.setattr(archive_module, "MAX_BYTES", size - 1)
    with pytest.raises(ModelError, match="more than the limit"):
        read_model(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("again/tree", b"")
    with pytest.raises(ModelError, match="holds tree twice"):
        read_model(path)
    monkeypatch.setattr(archive_module, "MAX_MEMBERS", 3)
    with pytest.raises(ModelError, match="more than 3 files"):
        read_model(path)
