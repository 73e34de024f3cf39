"""Shards: every column holds what manifest, file and stages said; they hold nearly equal time, in order."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.shards import file_name, first_name, shard_of
from tests.support.builds import rows
from tests.support.scripted import GOOD
from tests.support.story import EXTRA, KEPT, RECORDINGS, identifier, publish_again, script

SPEAKERS = {
    "ann-0": "Ann",  # the manifest's, whatever diarization called her
    "ann-1": "Ann",
    "duo-0": "duo-S0",
    "duo-1": "duo-S1",
    "long-0": "long-S0",
    "long-1": "long-S1",
    "long-2": "long-S1",  # called S0 in its span
    "long-3": "long-S0",
    "tokyo-0": "tokyo-S0",
    "unsure-3": "unsure-S0",
}


LABELS = ("S0", "S0", "S0", "S1", "S0", "S1", "S1", "S0", "S0", "S0")


@pytest.fixture(scope="module")
def published(story):
    return dict(zip(KEPT, rows(story / "out", "shards"), strict=True))


@given(
    lengths=st.lists(st.integers(1600, 480_000), min_size=1, max_size=300),
    count=st.integers(1, 8),
    cut=st.integers(0, 300),
)
def test_balance(lengths, count, cut):
    samples = np.array(lengths)
    total, cut = int(samples.sum()), min(cut, len(lengths))
    first = shard_of(samples[:cut], 0, total, count)
    second = shard_of(samples[cut:], int(samples[:cut].sum()), total, count)
    shards = np.r_[first, second]
    assert np.array_equal(shards, shard_of(samples, 0, total, count))
    assert (np.diff(shards) >= 0).all()
    assert shards.max() < count
    for shard in range(count):
        assert abs(samples[shards == shard].sum() - total / count) <= samples.max()


def test_an_utterance_is_in_the_shard_of_its_middle():
    assert shard_of(np.array([14, 2]), 0, 16, 2).tolist() == [0, 1]
    assert shard_of(np.array([2, 14]), 0, 16, 2).tolist() == [0, 1]


def test_an_utterance_without_samples_at_the_end_is_in_the_last_shard():
    assert shard_of(np.array([5, 5, 0]), 0, 10, 2).tolist() == [0, 1, 1]
    assert shard_of(np.array([0]), 0, 0, 1).tolist() == [0]


def test_rows_are_the_kept_utterances_in_order_of_their_ids(published):
    assert [row["id"] for row in published.values()] == [identifier(name) for name in KEPT]


def test_a_speaker_is_one_voice_of_one_recording_or_the_manifests(published):
    assert {name: row["speaker"] for name, row in published.items()} == SPEAKERS
    assert [row["speaker_label"] for row in published.values()] == list(LABELS)


def test_the_manifests_speaker_is_a_hint_where_a_recording_has_several_voices(published):
    hints = {name: row["manifest_speaker"] for name, row in published.items()}
    assert hints == {name: "Ann" if name.split("-")[0] in {"ann", "duo"} else "" for name in published}
    assert {row["speaker"] for name, row in published.items() if name.startswith("duo")} == {"duo-S0", "duo-S1"}


def test_columns_of_the_manifest_are_carried_through(published):
    for name, row in published.items():
        is_ann = name.startswith("ann")
        assert row["transcript"] == ("Sense, and Sensibility — by Jane Austen" if is_ann else "")
        extra = json.loads(row["extra"])
        del extra["segments"]
        assert extra == (EXTRA if is_ann else {})


def test_the_recordings_file_is_described(published, story):
    rates = {"ann": 8_000, "duo": 44_100}
    files = {columns["id"]: name for name, (_, _, columns) in RECORDINGS.items()}
    for name, row in published.items():
        recording = name.split("-")[0]
        assert row["recording_id"] == recording
        assert row["path"] == str(story / "in" / files[recording])
        assert row["source_sample_rate"] == rates.get(recording, 16_000)
        assert row["source_codec"] == ("flac" if recording == "duo" else "pcm_s16le")


def test_what_the_stages_said_of_an_utterance(published):
    for name, row in published.items():
        said = script(name)
        assert (row["start"], row["end"], row["seconds"]) == (said["start"], said["end"], said["end"] - said["start"])
        assert (row["text"], row["language"]) == (said["text"], said["language"])
        assert (row["pwer"], row["confidence"]) == (said["scores"]["pwer"], said["scores"]["confidence"])
        angle = np.radians(said["voice"])
        np.testing.assert_allclose(row["speaker_embedding"], [np.cos(angle), np.sin(angle)], atol=1e-6)
        assert [(word["text"], word["start"], word["end"]) for word in row["words"]] == [
            (text, start - said["start"], end - said["start"]) for text, start, end in said["words"]
        ]
        assert all(word["confidence"] == 0.5 for word in row["words"])
        assert row["audio"] is None


def test_nested_columns(published):
    row = published["ann-0"]
    heard = {"language": "en", "confidence": 0.5, "error": "", "scores": [{"name": "no_speech", "value": 0.25}]}
    heard["variants"] = []
    assert row["hypotheses"] == [
        {"system": "one", "text": "sense and", **heard},
        {"system": "two", "text": "since and", **heard},
    ]
    assert row["edits"] == [{"kind": "insert", "before": " ", "after": ", ", "position": 0, "pause_ms": 125.0}]
    assert {score["name"]: score["value"] for score in row["scores"]} == {**GOOD, "recording.level": -20.0}
    assert [score["name"] for score in row["scores"]] == sorted(score["name"] for score in row["scores"])
    assert row["notes"] == [
        {"name": "denoise.chosen", "value": "none"},
        {"name": "recording.kind", "value": "scripted"},
    ]
    assert published["duo-0"]["edits"] == []


def test_without_tokenizers_the_token_columns_are_null(story, tmp_path):
    out = publish_again(story, tmp_path)
    found = rows(out, "shards")
    # without tokenizers nothing asks for the audio that one utterance does not have
    assert [row["id"] for row in found] == sorted([*map(identifier, KEPT), "unsure-0000024000-0000032000"])
    assert all(row[stream] is None for row in found for stream in ("glm", "semantic", "global"))
    (part,) = (out / "shards").glob("*.parquet")
    assert pq.read_metadata(part).metadata[b"curation.tokenizers"] == b""
    assert json.loads((out / "shards/_index.json").read_text())["tokenizers"] is None


def test_a_shard_has_the_same_first_name_in_all_editions():
    first, later = file_name(3, 12), file_name(3, 12, 7)
    assert (first, later) == ("part-00003-of-00012.parquet", "part-00003-of-00012-v7.parquet")
    assert first_name(first) == first_name(later) == first
