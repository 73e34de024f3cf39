"""Files of marks: every line as it was written, and what is no mark is named."""

import json

import pytest

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.manifests.marks.files import Mark, add, digest, parse, read, read_file, replace_file


def test_a_line_as_the_page_writes_it_is_a_mark_and_comes_back(tmp_path):
    line = {
        "v": 1,
        "corpus": "ab12",
        "id": "r-1",
        "kind": "text",
        "verdict": "wrong",
        "text": None,
        "tags": ["speaker"],
        "text_seen": digest("Ü"),
        "by": "me",
        "at": "2026-11-26T10:00:00Z",
        "note": "",
        "sample": {"stratum": "consensus.max_pwer/de/near", "weight": 812.5, "size": 8125},
        "found": "sorted",
    }
    (mark,) = parse([json.dumps(line), ""], "marks.jsonl")
    assert mark.to_json() == line
    out = Storage(str(tmp_path))
    assert add(out, [mark]) == "marks-000001.jsonl"
    assert add(out, [Mark("r-1", "retract")]) == "marks-000002.jsonl"
    assert read(out) == [mark, Mark("r-1", "retract")]
    replace_file(out, "marks-000001.jsonl", [])
    assert (read_file(out, "marks-000001.jsonl"), read(out)) == ([], [Mark("r-1", "retract")])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: .*: correct the line"),
        ('{"id": "a"}', "line 2: no field 'kind'"),
        ('{"id": "a", "kind": "delete"}', "line 2: kind"),
        ('{"id": "", "kind": "reject"}', "line 2: id"),
        ('{"id": "a", "kind": "reject", "v": 2}', "line 2: v"),
        ('{"id": "a", "kind": "reject", "sample": {"stratum": "x", "weight": 0, "size": 1}}', "line 2: sample.weight"),
        ('{"id": "a", "kind": "reject", "found": "somewhere"}', "line 2: found"),
        ("[1]", "line 2"),
    ],
)
def test_a_line_that_is_no_mark_is_named(line, message):
    with pytest.raises(DataError, match=rf"marks\.jsonl, {message}"):
        list(parse([json.dumps({"id": "a", "kind": "reject"}), line], "marks.jsonl"))


def test_no_text_is_as_an_empty_one():
    assert digest(None) == digest("")
    assert digest("a") == "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


def test_two_people_say_the_same_where_verdict_and_text_are_equal():
    said = Mark("a", "text", verdict="wrong", text="new", by="ann")
    assert said.said == Mark("a", "text", verdict="wrong", text="new", by="bob", note="sure").said
    for other in (Mark("a", "text", verdict="wrong", text="old"), Mark("a", "text", verdict="right", text="new")):
        assert other.said != said.said
