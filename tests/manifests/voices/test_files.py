"""The file of voices, and the speakers of a corpus as they are read from its shards."""

import numpy as np
import pyarrow as pa
import pytest

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.manifests.index import ShardEntry, ShardIndex
from curation.manifests.plan import Plan
from curation.manifests.voices.files import FILE, Members, heard, read_members, write_members


def test_what_was_written_is_read_again(tmp_path):
    out = Storage(str(tmp_path))
    assert read_members(out, Plan(out)) == Members()
    members = Members({("b", "Ann"): 2, ("a", "a-S0"): 1234567}, count=2000000)
    write_members(out, members, 1)
    assert read_members(out, Plan(out)) == members
    table = out.read_table(FILE)
    assert table["recording_id"].to_pylist() == ["a", "b"]
    assert table["voice_id"].to_pylist() == ["V1234567", "V000002"]


def test_damage_says_what_is_lost(tmp_path):
    out = Storage(str(tmp_path))
    out.write_bytes(FILE, b"PAR1")
    with pytest.raises(DataError, match=r"members\.parquet is damaged .*: `curation voices --anew` writes it again"):
        read_members(out, Plan(out))


def shard(out, name, rows):
    """(recording, speaker, manifest's, seconds, embedding) of each row."""
    names = ["recording_id", "speaker", "manifest_speaker", "seconds", "speaker_embedding"]
    kinds = [pa.string(), pa.string(), pa.string(), pa.float64(), pa.list_(pa.float32())]
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    out.write_table(f"shards/{name}", pa.table(columns, names=names))
    return ShardEntry(name, len(rows), "")


def test_a_recording_that_goes_on_in_the_next_shard_is_one(tmp_path):
    out = Storage(str(tmp_path))
    first = [("a", "Ann", "Ann", 1.0, [1, 0]), ("b", "b-S0", "Bo", 2.0, [0, 1]), ("b", "b-S1", "Bo", 1.0, None)]
    second = [("b", "b-S0", "Bo", 2.0, [1, 0]), ("c", "c-S0", "", 1.0, [1, 1])]
    entries = [shard(out, "one.parquet", first), shard(out, "two.parquet", second)]
    found = [*heard(out, ShardIndex(entries))]
    assert [(one.recording, one.label, one.name) for one in found] == [
        ("a", "Ann", "Ann"),
        ("b", "b-S0", ""),  # a name of the recording, which has two voices
        ("b", "b-S1", ""),
        ("c", "c-S0", ""),
    ]
    assert [one.embedding[:2].tolist() for one in found] == [[1, 0], [2, 2], [0, 0], [1, 1]]
    assert not np.any([one.embedding[2:] for one in found])
