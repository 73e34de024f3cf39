"""Selection: thresholds decide what is published, each by itself, and voices are joined across spans."""

import pytest

from curation.pipeline.run import build
from tests.support.builds import rows
from tests.support.scripted import noise, scripted_stages, utterance, write_corpus
from tests.support.story import KEPT, identifier, publish_again, story_config

EVERYTHING = sorted([*map(identifier, KEPT), "unsure-0000024000-0000032000"])  # one has no audio to encode


def decided(out, recording):
    """Status, reason, value and threshold of the segments of a recording."""
    return [
        (row["status"], row["reason"], row["value"], row["threshold"])
        for row in rows(out, "ledger")
        if row["recording_id"] == recording and row["status"] != "non_speech"
    ]


@pytest.mark.parametrize(
    ("override", "number"),
    [
        ("boundary.max_cut=0.95", 0),
        ("boundary.max_cut=0.9375", 0),
        ("transcribe.min_independent=1", 1),  # then one system alone is judged by itself
        ("consensus.min_words=0", 2),
        ("consensus.max_pwer=0.16", 3),
    ],
)
def test_a_looser_threshold_lets_an_utterance_through(story, tmp_path, override, number):
    out = publish_again(story, tmp_path, override)
    before, after = decided(story / "out", "refused"), decided(out, "refused")
    assert after[number] == ("kept", None, None, None)
    assert after[:number] == before[:number]
    assert after[number + 1 : 4] == before[number + 1 : 4]
    assert [row["recording_id"] for row in rows(out, "shards")].count("refused") == 1


@pytest.mark.parametrize(
    ("override", "value", "threshold"),
    [
        ("boundary.max_cut=0.1", 0.125, 0.1),
        ("transcribe.min_independent=4", 3.0, 4.0),
        ("consensus.min_words=3", 2.0, 3.0),
        ("consensus.max_pwer=0.0625", 0.0625, 0.0625),
        ("consensus.min_confidence=0.9", 0.875, 0.9),
    ],
)
def test_a_stricter_threshold_rejects_with_its_name(story, tmp_path, override, value, threshold):
    out = publish_again(story, tmp_path, override)
    assert decided(out, "tokyo") == [("rejected", override.split("=")[0], value, threshold)]
    assert rows(out, "shards") == []


def test_thresholds_that_are_just_met_keep(story, tmp_path):
    met = [
        "boundary.max_cut=0.125",
        "transcribe.min_independent=3",
        "consensus.min_words=2",
        "consensus.max_pwer=0.126",
        "consensus.min_confidence=0.875",
    ]
    assert [row["id"] for row in rows(publish_again(story, tmp_path, *met), "shards")] == EVERYTHING


@pytest.mark.parametrize(
    ("threshold", "labels"), [(0.14, ["S0", "S1", "S1", "S0"]), (0.13, ["S0", "S1", "S2", "S3"]), (0.0, None)]
)
def test_voices_of_two_spans_are_one_below_the_join_threshold(story, tmp_path, threshold, labels):
    """The voices of `long` are 30 degrees apart: a cosine distance of 0.134."""
    out = publish_again(story, tmp_path, f"publish.speaker_join_threshold={threshold}")
    mine = [row for row in rows(out, "shards") if row["recording_id"] == "long"]
    labels = labels or ["S0", "S1", "S2", "S3"]
    assert [row["speaker_label"] for row in mine] == labels
    assert [row["speaker"] for row in mine] == [f"long-{label}" for label in labels]
    listed = [row["speaker"] for row in rows(out, "ledger") if row["recording_id"] == "long" and row["speaker"]]
    assert listed == labels


def test_a_voice_is_that_of_its_long_utterances(tmp_path):
    """Half a second that sounds like somebody else does not keep the two spans apart."""
    segments = [utterance(0.5, 3.5), utterance(3.5, 4.0, voice=90.0), utterance(5.0, 6.0)]
    recording = (noise(9.0, quiet=[4.5]), 16_000, {"id": "a", "segments": segments})
    config = story_config("tokenize=null", "publish.speaker_join_threshold=0.14")
    manifest = write_corpus(tmp_path / "in", {"a.wav": recording})
    build(config, [str(manifest)], str(tmp_path / "out"), make_stages=scripted_stages)
    assert [row["speaker_label"] for row in rows(tmp_path / "out", "shards")] == ["S0", "S0", "S0"]


def test_without_the_boundary_stage_its_threshold_rejects_nothing(story, tmp_path):
    config = story_config("tokenize=null", "boundary=null")
    build(config, [str(story / "in/manifest.jsonl")], str(tmp_path / "out"), make_stages=scripted_stages)
    reasons = [reason for _, reason, _, _ in decided(tmp_path / "out", "refused")]
    assert reasons[:5] == [
        None,
        "transcribe.min_independent",
        "consensus.min_words",
        "consensus.max_pwer",
        "transcribe.min_independent",
    ]


def test_utterances_stay_in_order_where_a_later_recording_comes_between(tmp_path):
    """`a` and `c` are one unit, `b` is another: the unit is read in two parts."""

    def many(identifier):
        segments = [utterance(number / 8, (number + 1) / 8) for number in range(40)]
        return noise(5.0, seed=ord(identifier)), 16_000, {"id": identifier, "segments": segments}

    first = {"c.wav": many("c"), "a.wav": many("a")}
    for recordings in (first, {**first, "b.wav": many("b")}):
        manifest = write_corpus(tmp_path / "in", recordings)
        config = story_config("tokenize=null", "decode.max_span_seconds=60")
        build(config, [str(manifest)], str(tmp_path / "out"), make_stages=scripted_stages, compact=True)
    found = [row["id"] for row in rows(tmp_path / "out", "shards")]
    assert found == [f"{name}-{n * 2000:010d}-{(n + 1) * 2000:010d}" for name in "abc" for n in range(40)]
