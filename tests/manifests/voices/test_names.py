"""The voice of each speaker as a column."""

import pyarrow as pa
import pytest

from curation.core.storage import Storage
from curation.manifests.index import ShardEntry, ShardIndex
from curation.manifests.plan import Plan
from curation.manifests.voices.files import Members, write_members
from curation.manifests.voices.names import NONE, VoiceNames, warn_of_unnamed


@pytest.fixture
def out(tmp_path):
    return Storage(str(tmp_path))


def test_each_speaker_of_each_recording_has_its_own(out):
    write_members(out, Members({("b", "Ann"): 2, ("a", "Ann"): 1, ("a", "a-S0"): 2, ("ab", ""): 3}), 1)
    names = VoiceNames.read(out, Plan(out))
    rows = [("a", "Ann"), ("b", "Ann"), ("a", "a-S0"), ("b", "Bo"), ("a", None), ("ab", ""), ("a", "b"), ("c", "Ann")]
    recordings, speakers = zip(*rows, strict=True)
    found = names.of(pa.chunked_array([recordings[:3], recordings[3:]]), pa.array(speakers))
    assert found.to_pylist() == ["V000001", "V000002", "V000002", None, None, "V000003", None, None]


def test_they_are_told_apart_by_what_they_say(out):
    assert VoiceNames.read(out, Plan(out)).fingerprint == NONE.fingerprint == ""
    found = set()
    for numbers in ({("a", "S"): 1}, {("a", "S"): 2}, {("b", "S"): 1}):
        write_members(out, Members(numbers), 1)
        found.add(VoiceNames.read(out, Plan(out)).fingerprint)
    assert len(found) == 3
    assert NONE.of(pa.array(["a"]), pa.array(["S"])).to_pylist() == [None]


def test_utterances_without_one_are_counted(out, caplog):
    corpus = ShardIndex([ShardEntry("a.parquet", 5, "", voiced=5), ShardEntry("b.parquet", 3, "", voiced=2)])
    warn_of_unnamed(out, corpus)  # nobody looked for voices
    assert not caplog.text
    write_members(out, Members({("a", "S"): 1}), 1)
    warn_of_unnamed(out, corpus)
    assert "1 utterance without a voice: `curation voices" in caplog.text
