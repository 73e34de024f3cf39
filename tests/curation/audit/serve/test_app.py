"""What the server answers: its page, SQL, any segment of the corpus, and the audio of its ids only."""

import io

import pytest
import soundfile

from curation.audit.page.rows import COLUMNS
from curation.audit.page.write import STATIC
from tests.support.audit.browser import meta_of, rows_of
from tests.support.builds import rows as published

GOOD = "ann-0000032000-0000052000"


def test_the_page_is_the_same_and_knows_that_it_is_served(user, served, page):
    _, folder, _ = served
    assert meta_of(folder)["served"] is True
    assert meta_of(page)["served"] is False
    for name in STATIC:
        assert user.get(name).status_code == 200
    assert user.get("app.js").content == (page / "app.js").read_bytes()
    assert "connect-src 'self'" in user.get("").text
    assert user.get("data/meta.js").content == (folder / "data/meta.js").read_bytes()
    assert not any(row["audio"] or row["words"] for row in rows_of(folder))


def test_sql_is_answered_or_its_fault_is_said(user):
    found = user.post("query", json={"sql": "SELECT count(*) AS n FROM segments WHERE status = 'kept'"}).json()
    assert (found["columns"], found["rows"], found["more"]) == (["n"], [[10]], False)
    refused = user.post("query", json={"sql": "SELECT * FROM read_csv('/etc/passwd')"})
    assert (refused.status_code, "disabled by configuration" in refused.json()["error"]) == (400, True)
    for body in ({}, {"sql": 1}, {"sql": "SELECT 1", "x": 1}, [], {"sql": "x" * 200_000}):
        assert user.post("query", json=body).status_code == 422


def test_any_segment_is_a_row_of_the_page(user, corpus):
    known = {row["id"]: row for row in published(corpus, "segments")}
    silent = "silent-0000000000-0000024000"  # it was never a segment: the page made the name
    found = user.post("rows", json={"ids": [GOOD, "nobody", silent, GOOD]}).json()
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in found]
    assert [row["id"] for row in rows] == [GOOD, None]
    assert rows[0]["text"] == known[GOOD]["text"]
    assert [row["stratum"] for row in rows] == [None, None], "they are not of the sample, and stand for nothing"
    assert user.post("rows", json={"ids": ["x"] * 501}).status_code == 422


def test_audio_is_cut_when_it_is_asked_for(user, served):
    _, folder, _ = served
    assert user.get("audio/00/x.opus").status_code == 404
    found = user.post("cut", json={"id": GOOD}).json()
    assert [word[0] for word in found["words"]] == ["Sensibility"]
    for name in (found["audio"], found["source"]):
        content = user.get(f"audio/{name}")
        assert soundfile.info(io.BytesIO(content.content)).duration == pytest.approx(1.25, abs=0.01)
        part = user.get(f"audio/{name}", headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, content.content[10:20])
    assert user.post("cut", json={"id": GOOD}).json() == found
    assert {path.name for path in folder.iterdir()} == {*STATIC, "data", "audio"}


@pytest.mark.parametrize("name", ["nobody", "../../etc/passwd", "/etc/passwd", "", "\x00", "' OR true --"])
def test_only_ids_of_the_corpus_have_audio(user, name):
    assert user.post("cut", json={"id": name}).status_code == 404


@pytest.mark.parametrize(
    "path", ["../index.html", "%2e%2e/x", "..%2f..%2f..%2fetc/passwd", "data/../../x", "audio/%00", "audio", "data/"]
)
def test_no_path_leads_out_of_the_page(user, served, path):
    (served[1].parent / "x").write_text("secret")
    found = user.get(f"{user.base_url}{path}")
    assert found.status_code in {403, 404}
    assert "secret" not in found.text
