"""Who and what has most hours."""

import pytest

from curation.audit.corpus import Corpus
from curation.audit.top import top
from tests.support.audit.segments import write_segments


@pytest.fixture(scope="module")
def corpus(story):
    return Corpus.open(str(story / "out"))


def test_speakers_by_their_kept_seconds(corpus):
    found = top(corpus, "speakers", 3)
    assert (found["names"], found["kept_seconds"]) == (7, 11.5)
    rows = [(row["name"], row["kept_seconds"], row["utterances"]) for row in found["top"]]
    assert rows == [("long-S0", 3.0, 2), ("long-S1", 3.0, 2), ("Ann", 2.25, 2)]
    assert found["top"][0]["share"] == 3.0 / 11.5
    assert top(corpus, "speakers", 1) == {**found, "top": found["top"][:1]}


def test_recordings_with_what_they_have_in_all(corpus):
    found = {row["name"]: (row["kept_seconds"], row["seconds"]) for row in top(corpus, "recordings", 99)["top"]}
    assert found["long"] == (6.0, 6.0)
    assert found["refused"] == (0.0, 4.0)


def test_languages_and_what_has_none(corpus):
    found = top(corpus, "languages", 9)
    assert [row["name"] for row in found["top"]] == ["en", "zh", None]
    assert sum(row["share"] for row in found["top"]) == 1.0


@pytest.mark.parametrize("kind", ["speakers", "recordings", "languages"])
def test_a_corpus_without_an_utterance_has_nobody(tmp_path, kind):
    write_segments(tmp_path, [])
    assert top(Corpus.open(str(tmp_path)), kind, 3) == {"kind": kind, "names": 0, "kept_seconds": 0.0, "top": []}
