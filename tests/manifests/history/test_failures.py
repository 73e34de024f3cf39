"""What failed in a corpus, from its ledger."""

from curation.core.file_state import FileState
from curation.core.storage import Storage
from curation.manifests.history.failures import TO_THE_END, FailedRecording, failed_recordings
from curation.manifests.index import ShardIndex, read_index
from curation.manifests.schemas import LEDGER


def test_recordings_that_failed_with_their_stretches(story):
    out = Storage(str(story / "out"))
    absent, raises, unsure = failed_recordings(out, read_index(out))
    assert absent == FailedRecording("absent", "", [(0, TO_THE_END)])
    assert (raises.id, raises.stretches) == ("raises", [(0, TO_THE_END)])
    assert (unsure.id, unsure.stretches) == ("unsure", [(8_000, 16_000), (16_000, 24_000), (24_000, 32_000)])
    assert unsure.version == FileState.at(str(story / "in/unsure.wav")).version != ""


def test_nothing_failed_in_a_part_of_which_all_was_removed(tmp_path):
    out = Storage(str(tmp_path))
    out.write_table("ledger/part-000000.parquet", LEDGER.empty_table())
    assert list(failed_recordings(out, ShardIndex([], ledger=["part-000000.parquet"]))) == []
