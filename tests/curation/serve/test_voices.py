"""Voices: a bounded number, each under a name of its own."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from curation.serve import voices
from curation.serve.errors import ApiError
from curation.serve.voices import Voices
from curation.train.infer.tokenizers import VoiceSample

IDS = VoiceSample(np.arange(32, dtype=np.int32))


def test_no_more_voices_than_there_is_room_for(model, monkeypatch, tmp_path):
    monkeypatch.setattr(voices, "MOST", 2)
    kept = Voices(model.codec, IDS, tmp_path)
    kept.add("ann", IDS)
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


def test_what_a_voice_says_is_kept_with_it(model, tmp_path):
    Voices(model.codec, IDS, tmp_path).add("ann", VoiceSample(IDS.ids[::-1], "Good day.", np.arange(5, dtype=np.int32)))
    older = {"name": "bob", "ids": IDS.ids.tolist(), "codec": model.codec.fingerprint, "created": 1}
    (tmp_path / "bob.json").write_text(json.dumps(older))
    again = Voices(model.codec, IDS, tmp_path)
    found = {voice.name: again.sample(voice.name) for voice in again.all()}
    assert {name: sample.transcript for name, sample in found.items()} == {"ann": "Good day.", "bob": "", "default": ""}
    assert found["ann"].semantic.tolist() == [0, 1, 2, 3, 4]
    assert found["ann"].ids.tolist() == IDS.ids.tolist()[::-1]
    assert len(found["bob"].semantic) == 0


@pytest.mark.parametrize(
    "changed",
    [
        *({"ids": ids} for ids in (None, [1, 2], ["a"] * 32, [2**40] * 32, [-1] * 32, [1.5] * 32)),
        {"created": float("nan")},
        {"created": "now"},
        {"transcript": 5},
        {"transcript": "Good day."},
        {"transcript": "Good day.", "semantic": [10**6]},
        {"semantic": [1]},
        {"path": "/etc/passwd"},
        {"name": "default"},
    ],
)
def test_a_file_that_holds_no_voice_is_left_out(model, tmp_path, changed, caplog):
    good = asdict(Voices(model.codec, IDS).all()[0]) | {"name": "ann"}
    (tmp_path / "good.json").write_text(json.dumps(good | {"name": "good"}))
    name = changed.get("name", "ann")
    (tmp_path / f"{name}.json").write_text(json.dumps(good | {"ids": [0] * 32} | changed))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    kept = Voices(model.codec, IDS, tmp_path)
    assert [voice.name for voice in kept.all()] == ["default", "good"]
    assert kept.sample("default").ids.tolist() == IDS.ids.tolist()
    assert {f"{name}.json", "deep.json"} == {part for part in caplog.text.replace("/", " ").split() if "json" in part}


def test_a_voice_that_cannot_be_kept_is_none(model, tmp_path):
    kept = Voices(model.codec, IDS, tmp_path)
    (tmp_path / "ann.json").mkdir()
    with pytest.raises(ApiError, match="the voice cannot be kept; the server's log says why") as caught:
        kept.add("ann", IDS)
    assert caught.value.status == 500
    assert [voice.name for voice in kept.all()] == ["default"]
    assert [file.name for file in tmp_path.iterdir()] == ["ann.json"]
