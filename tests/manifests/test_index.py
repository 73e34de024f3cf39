"""The index of the shards: written whole, read back, and refused in another format."""

import json

import pytest

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.manifests.index import DEFAULT_ROW_GROUP_ROWS, FILE, ShardEntry, ShardIndex, read_index

INDEX = ShardIndex(
    shards=[
        ShardEntry("part-00000-of-00002.parquet", 3, "a" * 64, 2.5, {"glm": 30, "semantic": 120, "global": 96}, 1000),
        ShardEntry("part-00001-of-00002.parquet", 2, "b" * 64, 1.25, {"glm": 16, "semantic": 60, "global": 64}, 700),
    ],
    row_group_rows=64,
    tokenizers={"fingerprint": "f" * 64},
    denoise={"device": "cpu"},
    software="1.2.3",
)


@pytest.fixture
def out(tmp_path):
    return Storage(str(tmp_path))


def changed(out, **fields):
    values = out.read_json(FILE) | fields
    out.write_json(FILE, {name: value for name, value in values.items() if value is not ...})


def test_it_is_read_back_as_it_was_written(out):
    out.write_json(FILE, INDEX.to_json())
    assert read_index(out) == INDEX


def test_the_file_has_the_totals_of_its_shards(out, tmp_path):
    out.write_json(FILE, INDEX.to_json())
    values = json.loads((tmp_path / "shards/_index.json").read_text())
    assert (values["rows"], values["seconds"], values["format"]) == (5, 3.75, "1")


def test_an_older_index_lacks_what_has_a_default(out):
    out.write_json(FILE, INDEX.to_json())
    changed(out, denoise=..., row_group_rows=..., software=...)
    found = read_index(out)
    assert (found.denoise, found.row_group_rows) == (None, DEFAULT_ROW_GROUP_ROWS)
    assert found.shards == INDEX.shards


def test_fields_of_later_versions_are_ignored(out):
    out.write_json(FILE, INDEX.to_json())
    changed(out, licence="CC0", shards=[entry | {"speakers": 2} for entry in INDEX.to_json()["shards"]])
    assert read_index(out) == INDEX


def test_another_format_is_refused_with_its_name(out):
    out.write_json(FILE, INDEX.to_json())
    changed(out, format="2")
    with pytest.raises(DataError, match=r"shards/_index\.json: shards of format 2, this software reads 1"):
        read_index(out)


def test_a_build_without_one_is_not_published(out):
    with pytest.raises(FileNotFoundError):
        read_index(out)


@pytest.mark.parametrize("folder", ["ledger", "segments"])
@pytest.mark.parametrize("name", ["../../other/private.parquet", "/etc/a.parquet", "..", "a\\b.parquet", ""])
def test_a_name_that_leads_out_of_its_folder_is_refused(out, folder, name):
    out.write_json(FILE, INDEX.to_json())
    changed(out, **{folder: [name]})
    with pytest.raises(DataError, match=rf"_index\.json.*{folder}"):
        read_index(out)
