"""Voices: a bounded number, each under a name of its own."""

import numpy as np
import pytest

from curation.serve import voices
from curation.serve.errors import ApiError
from curation.serve.voices import Voices

IDS = np.arange(32, dtype=np.int32)


def test_no_more_voices_than_there_is_room_for(model, monkeypatch, tmp_path):
    monkeypatch.setattr(voices, "MOST", 2)
    kept = Voices(model.codec, IDS, tmp_path)
    kept.add("ann", IDS[::-1])
    with pytest.raises(ApiError, match="there are 2 voices: delete some first") as caught:
        kept.add("bob", IDS)
    assert caught.value.status == 409
    kept.remove("ann")
    kept.add("bob", IDS)
    assert [voice.name for voice in Voices(model.codec, IDS, tmp_path).all()] == ["bob", "default"]


def test_a_voice_whose_file_is_gone_can_be_removed(model, tmp_path):
    kept = Voices(model.codec, IDS, tmp_path)
    kept.add("ann", IDS)
    for file in tmp_path.iterdir():
        file.unlink()
    kept.remove("ann")
    assert [voice.name for voice in kept.all()] == ["default"]
