"""Audio of the utterances: as the shards have it, else as it is staged."""

from curation.audio.flac import decode_flac
from curation.core.storage import Storage
from curation.export.corpus import Chosen
from tests.support.audit.exported import wave, write_rows
from tests.support.story import KEPT, identifier, publish_again


def test_staged_audio_is_that_of_the_utterance(corpus):
    found = list(Chosen.of(str(corpus)).utterances())
    assert [one.id for one in found] == list(map(identifier, KEPT))
    assert [len(decode_flac(one.audio)) for one in found] == [one.samples for one in found]


def test_published_audio_is_the_staged_one(story, corpus, tmp_path):
    again = publish_again(story, tmp_path, "publish.audio=true", "publish.row_group_rows=2")
    Storage(str(again)).remove_folder("speech")
    chosen = Chosen.of(str(again), "recording_id <> 'unsure'")  # one of it has no audio, and no tokenizer says so here
    published = {one.id: one.audio for one in chosen.utterances()}
    staged = {one.id: one.audio for one in Chosen.of(str(corpus)).utterances()}
    assert published == {name: staged[name] for name in map(identifier, KEPT) if not name.startswith("unsure")}


def test_audio_of_the_shards_comes_first(corpus, tmp_path):
    copy = write_rows(corpus, tmp_path / "c", [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}])
    found = [decode_flac(one.audio) for one in Chosen.of(str(copy)).utterances()]
    assert all(abs(one - wave(number)).max() < 1e-4 for number, one in enumerate(found))
