"""`curation evaluate` with a model; its other tasks are tested in tests/train/evaluate/test_run.py."""

import json

import pytest

from tests.support.commands import curation, message

pytestmark = pytest.mark.usefixtures("short_speech")


@pytest.fixture(scope="module")
def items(clips, tmp_path_factory):
    file = tmp_path_factory.mktemp("set") / "set.jsonl"
    rows = [
        {"id": "one", "path": str(clips / "a.wav"), "transcript": "not at all", "language": "en", "place": "hall"},
        {"id": "two", "path": str(clips / "b.ogg"), "transcript": "not at all", "language": "en", "place": "car"},
        {"id": "lost", "path": str(clips / "lost.wav"), "transcript": "not at all", "language": "en", "place": "car"},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_model_is_measured_by_group_and_what_failed_is_named(items, checkpoint, tmp_path):
    options = [items, "-m", checkpoint, "--tasks", "asr", "--by", "place"]
    done = curation("evaluate", *options, "--json", "-o", tmp_path / "out")
    values = json.loads(done.stdout)
    groups = {(row["group"].get("place"), row["utterances"], row["failed"]) for row in values["rows"]}
    assert ("hall", 1, 0) in groups
    assert ("car", 2, 1) in groups
    assert "failed: asr lost" in message(done)
    assert "1 of 3 could not be evaluated" in message(done)
    assert json.loads((tmp_path / "out/summary.json").read_text()) == values
    table = curation("evaluate", *options).stdout
    assert "WER %" in table
    assert "similarity" not in table  # a column that says nothing of ASR


def test_the_words_of_a_reference_reach_the_model_by_an_option_alone(items, clips, checkpoint, tmp_path):
    row = json.loads(items.read_text().splitlines()[0])
    file = tmp_path / "set.jsonl"
    file.write_text(json.dumps(row | {"reference": str(clips / "b.ogg"), "reference_text": "what b says"}))
    asked = [file, "-m", checkpoint, "--tasks", "tts", "--json"]
    spoken = {}
    for name, options in {"with": ["--reference-text"], "without": []}.items():
        done = curation("evaluate", *asked, *options, "-o", tmp_path / name, "--save-audio")
        spoken[name] = (tmp_path / name / "tts" / "one.wav").read_bytes()
        assert ("references" in json.loads(done.stdout)["about"]) is (name == "with")
    assert spoken["with"] != spoken["without"]


def test_a_limit_takes_items_from_all_of_the_set(items, checkpoint):
    done = curation("evaluate", items, "-m", checkpoint, "--tasks", "asr", "--limit", 2, "--json")
    assert json.loads(done.stdout)["rows"][0]["utterances"] == 2


def test_a_set_of_which_nothing_could_be_evaluated_ends_with_1(items, checkpoint, tmp_path):
    rows = [line for line in items.read_text().splitlines() if '"lost"' in line]
    (tmp_path / "lost.jsonl").write_text("\n".join(rows))
    curation("evaluate", tmp_path / "lost.jsonl", "-m", checkpoint, "--tasks", "asr", code=1)
