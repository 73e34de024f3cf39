"""Recordings are taken out of the files that have them, and of no other."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.manifests import schemas
from curation.manifests.index import ShardEntry, ShardIndex
from curation.manifests.shards import origin, rewritten, written_by
from curation.pipeline.job import FileRewritten
from curation.pipeline.without import RewriteTask, Without, has_any, rest

IDS = st.lists(st.text("abcä東", min_size=1, max_size=3), max_size=12)


@given(IDS, IDS, st.booleans())
def test_a_file_has_a_recording_where_one_of_its_rows_does(there, wanted, statistics):
    sink = pa.BufferOutputStream()
    rows = pa.table({"x": [[{"y": 1}]] * len(there), "recording_id": pa.array(sorted(there), pa.string())})
    pq.write_table(rows, sink, row_group_size=3, write_statistics=statistics)
    file = pq.ParquetFile(pa.BufferReader(sink.getvalue()))
    assert has_any(file, sorted({*wanted})) == bool({*there} & {*wanted})


VOICES = {"a": "V000001", "b": "V000001", "c": None}


@pytest.fixture(params=["today", "before there were voices"])
def out(tmp_path, request):
    out = Storage(str(tmp_path))
    rows = [
        {"id": f"{name}-{number}", "recording_id": name, "seconds": 1.5, "voice_id": VOICES[name]}
        for name in "abc"
        for number in range(3)
    ]
    table = pa.Table.from_pylist(rows, schema=schemas.SHARDS.with_metadata({"curation.version": "1"}))
    table = table if request.param == "today" else table.drop_columns(["voice_id"])
    with out.table_writer("shards/part-00000-of-00001.parquet", table.schema, 4) as writer:
        writer.add(table)
    return out


def test_a_shard_is_written_again_in_row_groups_of_the_same_size(out):
    done = Without(out, 7, ["b", "x"], 4)(RewriteTask("part-00000-of-00001.parquet", is_shard=True))
    assert done.file == "part-00000-of-00001-v1.7.parquet"
    assert (done.entry.rows, done.entry.seconds) == (6, 9.0)
    with out.open_table(f"shards/{done.file}") as file:
        assert done.entry.voiced == (3 if "voice_id" in file.schema_arrow.names else 0)
        assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [4, 2]
        assert file.read(["recording_id"])["recording_id"].to_pylist() == [*"aaaccc"]
        assert file.schema_arrow.metadata[b"curation.version"] == b"1"
    again = Without(out, 9, ["a"], 4)(RewriteTask(done.file, is_shard=True))
    assert again.file == "part-00000-of-00001-v1.9.parquet"


def test_a_file_without_them_keeps_its_name(out):
    done = Without(out, 7, ["x"], 4)(RewriteTask("part-00000-of-00001.parquet", is_shard=True))
    assert done == FileRewritten(was="part-00000-of-00001.parquet", file="part-00000-of-00001.parquet")
    assert out.names("shards") == ["part-00000-of-00001.parquet"]


def test_a_file_of_which_nothing_is_left_is_none(out):
    done = Without(out, 7, [*"abc"], 4)(RewriteTask("part-00000-of-00001.parquet", is_shard=True))
    assert (done.file, done.entry) == ("", None)
    assert out.names("shards") == ["part-00000-of-00001.parquet"]


def test_the_index_has_the_files_in_their_order():
    shards = [ShardEntry(f"part-0000{number}.parquet", 1, "a" * 64) for number in range(3)]
    parts = ["part-000000.parquet", "part-000001.parquet"]
    hashes = {f"{folder}/{name}": "1" for folder in ("ledger", "segments") for name in parts}
    old = ShardIndex(shards, ledger=parts, segments=parts, sha256=hashes)
    entry = ShardEntry("part-00001-v1.2.parquet", 1, "b" * 64)
    part = {f"{folder}/part-000000-v1.2.parquet": "2" for folder in ("ledger", "segments")}
    done = [
        FileRewritten(was=shards[1].file, file=entry.file, entry=entry),
        FileRewritten(was=shards[2].file, file=""),
        FileRewritten(was=shards[0].file, file=shards[0].file),
        FileRewritten(was=parts[0], file="part-000000-v1.2.parquet", sha256=part),
    ]
    new = rest(old, done)
    assert new.shards == [shards[0], entry]
    assert new.ledger == new.segments == ["part-000000-v1.2.parquet", "part-000001.parquet"]
    assert new.sha256 == part | {name: "1" for name in hashes if "000001" in name}


@pytest.mark.parametrize(
    ("name", "by", "of"),
    [("part-1.parquet", 1, 1), ("part-1-v12.parquet", 12, 12), ("part-1-v3.12.parquet", 12, 3), ("_index.json", 0, 1)],
)
def test_a_name_says_who_wrote_a_file_and_whose_recordings_it_has(name, by, of):
    assert (written_by(name), origin(name)) == (by, of)
    if by:
        assert rewritten(name, 40) == f"part-1-v{of}.40.parquet"
