"""`curation audit` writes a page and says where it is."""

import json

from curation.cli.audit import _openable
from tests.support.audit.browser import meta_of
from tests.support.audit.segments import write_segments
from tests.support.commands import curation, message


def test_a_page_is_written_and_its_link_is_printed(story, tmp_path):
    told = curation("audit", story / "out", "-o", tmp_path / "audit", "--per-reason", 3, "--audio", "none", "--seed", 5)
    link = (tmp_path / "audit/index.html").as_uri()
    assert told.stdout.endswith(f"{link}\n")
    meta = meta_of(tmp_path / "audit")
    assert (meta["seed"], meta["per_reason"], meta["audio"], meta["share"]) == (5, 3, "none", False)
    assert f"{meta['rows']} segments" in told.stdout
    shared = curation("audit", story / "out", "-o", tmp_path / "audit", "--share", "--json")
    assert json.loads(shared.stdout)["link"] == link
    assert meta_of(tmp_path / "audit")["share"] is True


def test_a_folder_of_something_else_stays_as_it_is(story, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    told = curation("audit", story / "out", "-o", tmp_path, code=2)
    assert "give another folder to -o" in message(told)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_corpus_that_is_none_is_named(tmp_path):
    assert "run `curation build`" in message(curation("audit", tmp_path / "none", "-o", tmp_path / "audit", code=2))


def test_places_that_strangers_have_named_are_words_of_the_command_that_is_shown(tmp_path, capsys):
    path = "/data/$(touch x); a b\x1b[2J/a.wav"
    write_segments(tmp_path, [{"id": "a", "recording_id": "r", "path": path, "start": 0.0, "status": "kept"}])
    assert _openable(str(tmp_path), None) == []
    assert capsys.readouterr().err.endswith("--recordings '/data/$(touch x); a b\\x1b[2J'\n")
