"""Two builds: what is no longer kept, what has another text, what has no counterpart."""

import pytest

from curation.audit.diff import diff
from curation.pipeline.run import build
from tests.support.scripted import noise, scripted_stages, utterance, write_corpus
from tests.support.story import story_config


def built(folder, segments, *overrides):
    recordings = {"a.wav": (noise(6.0), 16_000, {"id": "a", "segments": segments})}
    manifest = write_corpus(folder / "in", recordings)
    config = story_config("tokenize=null", "decode.max_span_seconds=60", *overrides)
    build(config, [str(manifest)], str(folder / "out"), make_stages=scripted_stages)
    return str(folder / "out")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    one = [
        utterance(0.0, 1.0, "the same"),
        utterance(1.0, 2.0, "one word"),
        utterance(2.0, 3.0, "moved"),
        utterance(3.0, 4.0, "cut in two"),
        utterance(4.0, 5.0, "worse", scores={"pwer": 0.125}),
    ]
    two = [
        utterance(0.0, 1.0, "the same"),
        utterance(1.0, 2.0, "one bird", scores={"confidence": 0.5}),
        utterance(2.0, 3.25, "moved"),  # 1 s of 1.25 s: the same
        utterance(3.25, 3.75, "cut in"),  # 0.5 s of 1 s: just the same
        utterance(3.75, 4.0, "two"),
        utterance(4.0, 5.0, "worse", scores={"pwer": 0.125}),
    ]
    first = built(tmp_path_factory.mktemp("one"), one)
    return diff(first, built(tmp_path_factory.mktemp("two"), two, "consensus.max_pwer=0.1"))


def test_verdicts_that_differ_with_their_hours(found):
    (row,) = found["verdicts"]
    assert (row["status_a"], row["status_b"], row["reason_b"]) == ("kept", "rejected", "consensus.max_pwer")
    assert (row["count"], row["seconds"]) == (1, 1.0)
    assert found["thresholds"] == [{"setting": "consensus.max_pwer", "a": 0.15, "b": 0.1}]


def test_texts_that_differ_of_utterances_with_one_id_or_at_least_half_of_their_time(found):
    texts = found["texts"]
    assert (texts["both"], texts["changed"], texts["seconds"]) == (5, 2, 2.0)
    assert {(row["text_a"], row["text_b"]) for row in texts["examples"]} == {
        ("one word", "one bird"),
        ("cut in two", "cut in"),
    }


def test_what_has_no_counterpart(found):
    assert found["only"]["a"] == []
    assert found["only"]["b"] == [{"status": "kept", "count": 1, "seconds": 0.25}]


def test_scores_that_differ(found):
    assert found["scores"] == [{"score": "confidence", "count": 1, "mean": -0.25, "mean_distance": 0.25}]


def test_a_build_does_not_differ_from_itself(story):
    same = diff(str(story / "out"), str(story / "out"))
    assert (same["verdicts"], same["scores"], same["thresholds"]) == ([], [], [])
    assert same["only"] == {"a": [], "b": []}
    assert same["texts"]["changed"] == 0
