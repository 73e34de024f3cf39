"""The folder of the page: what it holds, what it must not hold, and what it replaces."""

import hashlib
import json
import shutil

import pytest
import soundfile

from curation.audit.page.write import STATIC, PageOptions, write_page
from curation.core.errors import ConfigError, DataError
from curation.core.storage import Storage
from curation.manifests.summary import read_summary
from tests.support.audit.browser import meta_of, rows_of
from tests.support.audit.segments import write_segments
from tests.support.builds import rows as published


def written(corpus, folder, **options):
    return write_page(Storage(str(corpus)), folder, PageOptions(**options))


def everything(folder):
    """All data of a page as one text."""
    return json.dumps([meta_of(folder), rows_of(folder)], ensure_ascii=False)


def test_the_folder_holds_the_page_its_data_and_audio(page):
    assert {path.name for path in page.iterdir()} == {*STATIC, "data", "audio"}
    assert {path.name for path in (page / "data").iterdir()} == {"meta.js", "rows-000.js"}
    meta = meta_of(page)
    assert (meta["v"], meta["audio"], meta["seed"], meta["rows"]) == (1, "opus", 0, len(rows_of(page)))


def test_all_hours_of_the_summary_are_there(corpus, page):
    summary, meta = read_summary(Storage(str(corpus))), meta_of(page)
    found = {}
    for status, reason, _, samples in meta["outside"]:
        found[status, reason] = found.get((status, reason), 0) + samples
    for _, status, reason, _, samples in meta["cube"]["fixed"]:
        found[status, reason] = found.get((status, reason), 0) + samples
    lines = {(line.status, line.reason): round(line.seconds * 16_000) for line in summary.lines}
    assert found.items() <= lines.items()
    assert sum(found.values()) + sum(meta["cube"]["cells"]["samples"]) == sum(lines.values())


def test_rows_are_what_was_published(corpus, page):
    rows = {row["id"]: row for row in rows_of(page)}
    kept = {row["id"]: row for row in published(corpus, "shards")}
    assert {name for name, row in rows.items() if row["status"] == "kept"} == set(kept)
    for name, row in kept.items():
        shown = rows[name]
        assert (shown["text"], shown["speaker"], shown["start"]) == (row["text"], row["speaker"], row["start"])
        assert [item[:2] for item in shown["hypotheses"]] == [[h["system"], h["text"]] for h in row["hypotheses"]]
        assert [word[0] for word in shown["words"]] == [word["text"] for word in row["words"]]
        for (_, start, end), word in zip(shown["words"], row["words"], strict=True):
            assert (start, end) == pytest.approx((word["start"], word["end"]), abs=1e-3)


def test_a_score_is_on_the_side_of_its_threshold_on_which_it_was_measured(corpus, tmp_path):
    out, close = tmp_path / "corpus", 0.15 - 1e-12
    shutil.copytree(corpus, out)
    row = {"id": "u", "recording_id": "r", "start": 0.0, "seconds": 0.0, "status": "kept", "rules_broken": 0}
    write_segments(out, [{**row, "pwer": close, "snr_db": close}], part=1)
    written(out, tmp_path / "audit")
    names = meta_of(tmp_path / "audit")["scores"]
    (found,) = (row["scores"] for row in rows_of(tmp_path / "audit") if row["id"] == "u")
    assert found[names.index("pwer")] == close < 0.15
    assert found[names.index("snr_db")] == 0.15  # no rule tries it


def test_audio_is_published_and_recorded_under_hashes(page):
    rows = [row for row in rows_of(page) if row["id"] is not None]
    assert {row["status"] for row in rows if row["audio"]} == {"kept", "rejected", "failed"}
    for row in rows:
        digest = hashlib.sha256(row["id"].encode()).hexdigest()
        for name, suffix in ((row["audio"], ".opus"), (row["source"], ".src.opus")):
            if name is None:
                continue
            assert name == f"{digest[:2]}/{digest[2:26]}{suffix}"
            wave, rate = soundfile.read(page / "audio" / name)
            assert len(wave) / rate == pytest.approx(row["seconds"], abs=0.01)
    kept = [row for row in rows if row["status"] == "kept"]
    assert all(row["audio"] and row["source"] and row["peaks"] for row in kept)
    assert sum(1 for path in (page / "audio").rglob("*.opus")) == sum(
        bool(row[name]) for row in rows for name in ("audio", "source")
    )


def test_a_page_without_audio_has_no_file_of_it(corpus, tmp_path):
    written(corpus, tmp_path / "audit", audio="none")
    assert not (tmp_path / "audit/audio").exists()
    assert not any(row[name] for row in rows_of(tmp_path / "audit") for name in ("audio", "source", "peaks"))


def test_a_page_to_give_away_has_no_voices_paths_or_names(corpus, page, tmp_path):
    written(corpus, tmp_path / "audit", share=True, audio="opus")
    shared = tmp_path / "audit"
    assert not (shared / "audio").exists()
    text = everything(shared)
    assert ".wav" in everything(page)
    assert ".wav" not in text
    assert str(corpus) not in text
    named = {row["speaker"] for row in rows_of(page) if row["speaker"]}
    assert {"Ann"} < named
    shown = {row["speaker"] for row in rows_of(shared) if row["speaker"]}
    assert shown.isdisjoint(named)
    assert len(shown) == len(named)
    top = {row[0] for row in meta_of(shared)["speakers"]["top"]}
    assert top <= shown


def test_a_page_to_give_away_has_no_path_in_a_failure_and_no_name_of_its_folder(corpus, tmp_path):
    out = tmp_path / "for-client-x"
    shutil.copytree(corpus, out)
    heard = [{"system": "a", "text": "", "error": "cannot read /home/me/models/a.bin"}]
    base = {"id": "u", "recording_id": "r", "path": "/home/me/r", "start": 0.0, "seconds": 0.0}
    write_segments(out, [{**base, "status": "failed", "reason": "transcribe", "hypotheses": heard}], part=1)
    written(out, tmp_path / "audit", share=True)
    text = everything(tmp_path / "audit")
    assert "/home/me" not in text
    assert "for-client-x" not in text
    (row,) = (row for row in rows_of(tmp_path / "audit") if row["recording"] == "r")
    assert row["hypotheses"] == [["a", "", None, "failed"]]


def test_secrets_of_urls_never_reach_the_page(corpus, tmp_path):
    out = tmp_path / "corpus"
    shutil.copytree(corpus, out)
    url = "https://user:SECRET@host/a.wav?X-Amz-Signature=SECRET#SECRET"
    names = ("path", "speaker", "text", "detail", "outlier", "language")
    row = {
        **dict.fromkeys(names, url),
        "recording_id": url,
        "start": 0.0,
        "seconds": 0.0,
        "status": "failed",
        "reason": url,
        "hypotheses": [{"system": url, "text": url, "error": url}],
        "scores": [{"name": url, "value": 1.0}],
    }
    write_segments(out, [row], part=1)
    written(out, tmp_path / "audit")
    assert "https://host/a.wav" in everything(tmp_path / "audit")
    assert "SECRET" not in everything(tmp_path / "audit")


def test_a_page_replaces_an_earlier_one_and_nothing_else(corpus, tmp_path):
    folder = tmp_path / "audit"
    written(corpus, folder, per_reason=2)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "audio/stale.opus").touch()
    written(corpus, folder, per_reason=2)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path: after[path] for path in after if path.suffix != ".opus"} == {
        path: content for path, content in before.items() if path.suffix != ".opus"
    }  # equal input, equal data
    assert set(after) == set(before)
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"mine holds something.*-o"):
        written(corpus, other)
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]


def test_another_site_and_a_file_are_left_alone(corpus, tmp_path):
    site = tmp_path / "site"
    (site / "data").mkdir(parents=True)
    (site / "data/measured.csv").write_text("years of work")
    (site / "index.html").write_text("<!doctype html><title>mine</title>")
    (tmp_path / "file").write_text("mine")
    for folder in (site, tmp_path / "file"):
        with pytest.raises(ConfigError, match=r"holds something.*-o"):
            written(corpus, folder)
    assert (site / "data/measured.csv").read_text() == "years of work"


def test_a_corpus_of_different_passes_is_refused(corpus, tmp_path):
    out = tmp_path / "corpus"
    shutil.copytree(corpus, out)
    row = {"id": "more", "recording_id": "r", "start": 0.0, "seconds": 1.0, "status": "kept", "rules_broken": 0}
    write_segments(out, [row], part=1)
    with pytest.raises(DataError, match=r"add up to .* publish it again"):
        written(out, tmp_path / "audit")
    assert not (tmp_path / "audit").exists()


def test_a_wrong_name_of_the_other_build_leaves_an_earlier_page_as_it_is(corpus, page, tmp_path):
    shutil.copytree(page, tmp_path / "audit")
    with pytest.raises(ConfigError, match="none holds no finished build"):
        written(corpus, tmp_path / "audit", against=str(tmp_path / "none"))
    assert rows_of(tmp_path / "audit") == rows_of(page)


def test_what_is_not_published_is_named(tmp_path):
    with pytest.raises(ConfigError, match="holds no finished build"):
        written(tmp_path, tmp_path / "audit")


def test_recordings_that_are_gone_are_counted_and_play_as_published(corpus, story, tmp_path):
    out = tmp_path / "corpus"
    shutil.copytree(corpus, out)
    hidden = story / "in" / "ann.wav"
    moved = hidden.rename(tmp_path / "ann.wav")
    try:
        result = written(out, tmp_path / "audit", recordings=[str(story / "in")])
    finally:
        moved.rename(hidden)
    rows = [row for row in rows_of(tmp_path / "audit") if row["recording"] == "ann"]
    assert result.sources_missing == len(rows) == 2
    assert all(row["audio"] and not row["source"] for row in rows)
