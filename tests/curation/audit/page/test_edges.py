"""Corpora with nothing in them: the page says so, and does not fail."""

from curation.audit.page.write import PageOptions, write_page
from curation.core.storage import Storage
from curation.manifests.summary import FILE as SUMMARY
from curation.manifests.summary import Line, Summary
from curation.pipeline.provenance import write_config
from tests.support.audit.segments import write_segments
from tests.support.story import story_config

TABS = ["overview", "thresholds", "listen", "systems", "speakers", "marks"]


def test_a_corpus_without_a_segment_is_said_to_be_one(browser, tmp_path):
    out = Storage(str(tmp_path / "corpus"))
    write_segments(tmp_path / "corpus", [])
    lines = [Line("non_speech", "", 1, 3.5)]
    out.write_json(SUMMARY, Summary(1, 0, 3.5, lines, 0, 0, 0.0, {}, 0, {}).to_json())
    write_config(out, story_config())
    write_page(out, tmp_path / "audit", PageOptions())
    browser.open(tmp_path / "audit")
    for tab in TABS:
        browser.go(f"#/{tab}")
    assert browser.complaints() == []
    browser.go("#/listen")
    assert "no segment" in browser.text(".empty")
    browser.go("#/overview")
    assert [line.split("\t")[0] for line in browser.texts(".waterfall tbody tr")] == ["input", "non-speech"]
