"""A folder that appears whole, with names that stay in it."""

import hashlib
import json

import pytest

from curation.export.folder import Folder, json_line


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
