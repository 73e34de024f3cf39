"""Marks flow into the next publish pass: rejects, accepts and texts, each of which can be undone."""

import json
import shutil

import pytest

from curation.audit.marks import import_marks, listed, retract
from curation.audit.whatif import what_if
from curation.core.errors import ConfigError, DataError
from curation.manifests.marks.files import digest
from curation.pipeline.run import build
from tests.support.builds import rows, table
from tests.support.scripted import scripted_stages
from tests.support.story import story_config

CUT, SHORT, GOOD = "refused-0000008000-0000016000", "refused-0000064000-0000068000", "ann-0000032000-0000052000"
TOKYO, LOST, UNSURE = "tokyo-0000008000-0000024000", "ann-0-1", "unsure-0000008000-0000016000"
MARKS = [
    {"id": CUT, "kind": "accept", "text_seen": digest("one two")},
    {"id": SHORT, "kind": "accept", "text_seen": digest(None)},
    {"id": UNSURE, "kind": "accept", "text_seen": digest("one two")},
    {"id": GOOD, "kind": "reject", "text_seen": digest("Sensibility")},
    {"id": TOKYO, "kind": "text", "verdict": "wrong", "text": "新しい", "text_seen": digest("你好, 世界")},
]


def publish(out, *overrides):
    build(story_config("tokenize=null", *overrides), [], str(out), make_stages=scripted_stages)


def write(folder, marks):
    file = folder / "marks.jsonl"
    file.write_text("".join(f"{json.dumps(mark)}\n" for mark in marks))
    return file


@pytest.fixture(scope="module")
def plain(story, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "out"
    shutil.copytree(story / "out", out)
    publish(out)
    return out


@pytest.fixture(scope="module")
def marked(plain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked")
    shutil.copytree(plain, folder / "out")
    found = import_marks(str(folder / "out"), write(folder, MARKS))
    assert (len(found.taken), found.stale, found.unknown, found.conflicts) == (5, [], [], [])
    publish(folder / "out")
    return folder / "out"


def test_verdicts_are_those_of_people_but_for_what_a_stage_excluded_or_what_failed(marked):
    found = {row["id"]: row for row in rows(marked, "segments")}
    verdicts = {name: (found[name]["status"], found[name]["reason"]) for name in (CUT, SHORT, GOOD, UNSURE)}
    assert verdicts == {
        CUT: ("kept", None),
        SHORT: ("rejected", "diarize.min_seconds"),
        GOOD: ("rejected", "marks.reject"),
        UNSURE: ("failed", "consensus.max_pwer"),
    }
    assert (found[CUT]["marked"], found[CUT]["rules_broken"], found[TOKYO]["marked"]) == ("accept", 0b10, None)
    published = {row["id"] for row in rows(marked, "shards")}
    assert (CUT in published, GOOD in published) == (True, False)


def test_a_corrected_text_is_published_as_a_persons_without_confidence_and_word_times(marked):
    row = next(row for row in rows(marked, "shards") if row["id"] == TOKYO)
    assert (row["text"], row["confidence"], row["words"]) == ("新しい", None, None)
    assert {"name": "text.source", "value": "human"} in row["notes"]
    assert row["hypotheses"][0]["text"] == "你好, 世界"
    found = next(row for row in rows(marked, "segments") if row["id"] == TOKYO)
    assert (found["text"], found["confidence"], found["confidence_calibrated"]) == ("新しい", None, None)
    assert found["pwer"] is not None  # what the systems disagreed on stays measured
    others = [row for row in rows(marked, "shards") if row["id"] != TOKYO]
    assert all(row["confidence"] is not None and row["words"] is not None for row in others)


@pytest.mark.parametrize("override", ["boundary.max_cut=0.99", "boundary.max_cut=0.1"])
def test_what_if_knows_of_marks(marked, tmp_path, override):
    promised = what_if(str(marked), [override])
    shutil.copytree(marked, tmp_path / "out")
    publish(tmp_path / "out", override)
    found = {}
    for row in rows(tmp_path / "out", "segments"):
        key = (row["status"], row["reason"] or "", row["language"] or "")
        found[key] = found.get(key, 0) + round(row["seconds"] * 16_000)
    assert dict(promised.after) == found


def test_retracted_marks_leave_the_corpus_as_it_was(plain, marked, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(marked, out)
    assert {mark.id for mark in retract(str(out), [mark["id"] for mark in MARKS])} == {mark["id"] for mark in MARKS}
    publish(out)
    for folder in ("ledger", "segments", "shards"):
        assert table(out, folder).equals(table(plain, folder))
    assert listed(str(out)) == []
    with pytest.raises(ConfigError, match="has no mark of"):
        retract(str(out), [TOKYO])


def test_stale_and_unknown_marks_are_refused_and_conflicts_are_listed(plain, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(plain, out)
    stale = {"id": TOKYO, "kind": "reject", "text_seen": digest("another text")}
    two = [{**MARKS[4], "text": text} for text in ("a", "b")]
    found = import_marks(str(out), write(tmp_path, [stale, {**MARKS[0], "id": LOST}, *two]))
    assert [mark.id for mark in (*found.stale, *found.unknown)] == [TOKYO, LOST]
    assert [mark.text for mark in found.conflicts] == ["a", "b"]
    assert [(row["text"], row["conflict"]) for row in listed(str(out))] == [("a", True), ("b", True)]
    again = import_marks(str(out), write(tmp_path, two))
    assert (len(again.known), again.taken) == (2, [])
    retract(str(out), [TOKYO])
    right = import_marks(str(out), write(tmp_path, two[1:]))
    assert ([mark.text for mark in right.taken], right.known, right.conflicts) == (["b"], [], [])
    assert [(row["text"], row["conflict"]) for row in listed(str(out))] == [("b", False)]
    with pytest.raises(DataError, match=r"marks\.jsonl, line 1: no field 'kind'"):
        import_marks(str(out), write(tmp_path, [{"id": TOKYO}]))
    with pytest.raises(ConfigError, match="cannot be read"):
        import_marks(str(out), tmp_path / "none.jsonl")


def test_a_mark_of_a_text_that_was_labelled_anew_has_no_effect(marked, tmp_path):
    """The text in staging is another one than its author saw."""
    out = tmp_path / "out"
    shutil.copytree(marked, out)
    (file,) = (out / "marks").iterdir()
    file.write_text(file.read_text().replace(digest("Sensibility"), digest("an older text")))
    publish(out, "publish.shard_hours=2")
    assert next(row for row in rows(out, "segments") if row["id"] == GOOD)["status"] == "kept"
