"""A folder that appears whole, with names that stay in it."""

import hashlib
import json

import pytest

from curation.core.errors import ConfigError
from curation.export import folder as folders
from curation.export.folder import Folder, json_line


def write(target, before_the_end=lambda: None, **files):
    with Folder.appearing(target) as folder:
        for name, content in files.items():
            folder.write(name, content)
        folder.finish({"format": "t"})
        before_the_end()


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", "a//b", "", ".", "a b", "a\nb", "a\0b", "ü", "a/", "a/."])
def test_names_that_lead_out_are_refused(name, tmp_path):
    with Folder.appearing(tmp_path / "out") as folder, pytest.raises(ValueError, match="is no name"):
        folder.write(name, b"x")


def test_nothing_appears_where_the_block_fails(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="no name"), Folder.appearing(tmp_path / "out") as folder:
        folder.write("a", b"1") or folder.write("../b", b"2")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_files_and_map_are_in_the_index(tmp_path):
    with Folder.appearing(tmp_path / "deep/out") as folder:
        folder.write("b/a.txt", b"1")
        folder.renamed(id="x y", exported="x")
        folder.finish({"format": "t", "where": "ü"})
    found = json.loads((tmp_path / "deep/out/export.json").read_text())
    line = b'{"id": "x y", "exported": "x"}\n'
    assert (tmp_path / "deep/out/id_map.jsonl").read_bytes() == line
    assert found == {
        "format": "t",
        "where": "ü",
        "files": {
            "b/a.txt": [hashlib.sha256(b"1").hexdigest(), 1],
            "id_map.jsonl": [hashlib.sha256(line).hexdigest(), len(line)],
        },
    }


def test_half_a_character_is_escaped():
    assert json_line({"a": "\ud800"}) == b'{"a": "\\ud800"}\n'
    assert json_line({"a": "ü"}) == '{"a": "ü"}\n'.encode()


@pytest.mark.parametrize("content", ["{}", '{\n  "files": {}\n}\n', "\n", "\xff"])
def test_others_have_an_export_json_too(content, tmp_path):
    mine = tmp_path / "out/export.json"
    mine.parent.mkdir()
    mine.write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError, match="is not an export"):
        write(tmp_path / "out", a=b"1")
    assert mine.read_text(encoding="latin-1") == content


def test_what_was_put_into_an_export_is_not_removed_with_it(tmp_path):
    write(tmp_path / "out", a=b"1", b=b"2")
    write(tmp_path / "out", b=b"3")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b", "export.json"]
    (tmp_path / "out/exp").mkdir()
    (tmp_path / "out/exp/model.pt").write_bytes(b"days of work")
    with pytest.raises(ConfigError, match="is not an export"):
        write(tmp_path / "out", a=b"1")
    (tmp_path / "out/exp/model.pt").rename(tmp_path / "model.pt")
    with pytest.raises(ConfigError, match="is not an export"):
        write(tmp_path / "out", lambda: (tmp_path / "model.pt").rename(tmp_path / "out/exp/model.pt"))
    assert (tmp_path / "out/exp/model.pt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_next_export_may_begin_while_the_earlier_one_is_removed(tmp_path, monkeypatch):
    def switch(partial, target):
        switched(partial, target)
        partial.mkdir()
        (partial / "of-the-next").touch()

    switched = folders._switch
    monkeypatch.setattr(folders, "_switch", switch)
    write(tmp_path / "out", a=b"1")
    assert (tmp_path / ".out.partial/of-the-next").exists()
