"""The summary of a build, and the index of its shards: the figures add up to what the manifest's script says."""

import hashlib
import json

import pytest

from curation import __version__
from curation.manifests.summary import Line, Summary
from tests.support.builds import rows
from tests.support.story import KEPT, publish_again, script, story_config

SECONDS = {name: script(name)["end"] - script(name)["start"] for name in KEPT}
SAMPLES = {name: round(16_000 * seconds) for name, seconds in SECONDS.items()}
TOKENS = {
    "glm": sum(-(-samples // 1280) for samples in SAMPLES.values()),
    "semantic": sum((samples - 400) // 320 + 1 for samples in SAMPLES.values()),
    "global": 32 * len(KEPT),
}
LINES = [
    Line("kept", "", 10, 11.5),
    Line("rejected", "decode.min_peak", 1, 1.5),
    Line("rejected", "boundary.max_cut", 2, 1.0),
    Line("rejected", "consensus.min_words", 2, 1.0),
    Line("rejected", "transcribe.min_independent", 2, 1.0),
    Line("rejected", "consensus.max_pwer", 1, 0.5),
    Line("rejected", "diarize.exclude_overlap", 1, 0.25),
    Line("rejected", "diarize.min_seconds", 1, 0.25),
    Line("non_speech", "", 15, 9.75),
    Line("failed", "scripted", 1, 1.5),
    Line("failed", "consensus.max_pwer", 1, 0.5),
    Line("failed", "tokenize", 1, 0.5),
    Line("failed", "transcribe", 1, 0.5),
    Line("failed", "decode", 1, 0.0),
]
"""By status, then by seconds."""


@pytest.fixture(scope="module")
def summary(story):
    return Summary.from_json(json.loads((story / "out/summary.json").read_text()))


@pytest.fixture(scope="module")
def index(story):
    return json.loads((story / "out/shards/_index.json").read_text())


def test_recordings_and_failures(summary, story):
    assert (summary.recordings, summary.failed_recordings, summary.failed_fraction) == (10, 3, 0.3)
    assert summary.seconds == 1.0 + 4.0 + 3.0 + 4.75 + 2.0 + 1.5 + 0.0 + 1.5 + 9.0 + 3.0


def test_time_by_verdict(summary):
    def order(line):
        return line.status, -line.seconds, line.reason

    assert sorted(summary.lines, key=order) == sorted(LINES, key=order)
    assert [(line.status, line.seconds) for line in summary.lines] == [(line.status, line.seconds) for line in LINES]


def test_what_is_published(summary):
    assert (summary.shards, summary.utterances, summary.kept_seconds) == (1, 10, 11.5)
    assert summary.tokens == TOKENS
    assert summary.speakers == 7  # Ann, two of duo, two of long, tokyo's and unsure's
    assert list(summary.languages.items()) == [("en", 9), ("zh", 1)]


def test_a_summary_can_be_written_and_read_back(summary):
    assert Summary.from_json(json.loads(json.dumps(summary.to_json()))) == summary


def test_the_index_adds_the_shards_up(index, story):
    assert (index["rows"], index["seconds"], index["software"]) == (10, 11.5, __version__)
    assert index["format"] == "1"
    assert index["row_group_rows"] == 512
    assert index["denoise"] == story_config().denoise.model_dump(mode="json")
    (shard,) = index["shards"]
    assert (shard["rows"], shard["seconds"], shard["tokens"]) == (10, 11.5, TOKENS)
    assert_files_are_as_described(story / "out", index)


def test_each_of_several_shards_is_described(story, tmp_path):
    out = publish_again(story, tmp_path, f"publish.shard_hours={4 / 3600}", "publish.row_group_rows=2")
    index = json.loads((out / "shards/_index.json").read_text())
    assert len(index["shards"]) == 3  # 12 s
    assert (index["rows"], index["seconds"], index["row_group_rows"]) == (11, 12.0, 2)
    assert_files_are_as_described(out, index)
    assert json.loads((out / "summary.json").read_text())["shards"] == 3
    assert [row["id"] for row in rows(out, "shards")] == sorted(row["id"] for row in rows(out, "shards"))


def assert_files_are_as_described(out, index):
    import pyarrow.parquet as pq

    assert [shard["file"] for shard in index["shards"]] == sorted(path.name for path in out.glob("shards/*.parquet"))
    for shard in index["shards"]:
        content = (out / "shards" / shard["file"]).read_bytes()
        assert (shard["bytes"], shard["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        found = pq.read_table(out / "shards" / shard["file"]).to_pylist()
        assert (shard["rows"], shard["seconds"]) == (len(found), sum(row["seconds"] for row in found))
        for stream, count in shard["tokens"].items():
            assert count == sum(len(row[stream] or ()) for row in found)
