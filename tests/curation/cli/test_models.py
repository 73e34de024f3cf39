"""`curation models`: list, fetch, verify."""

import shutil
from pathlib import Path

import pytest

from curation.models.catalogue import catalogue
from curation.models.store import resolve, store_root
from tests.support.commands import curation, message

SMALL = "campplus"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A model store with one model only."""
    shutil.copytree(store_root() / SMALL, tmp_path / SMALL)
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    return tmp_path


def listed():
    """Name -> whether it is on this machine, from the table."""
    rows = [line.split("│") for line in curation("models", "list").stdout.splitlines() if line.startswith("│")]
    return {row[1].strip(): row[-2].strip() for row in rows if row[1].strip()}


def test_list_names_every_model_and_whether_it_is_here(store):
    found = listed()
    assert set(found) == set(catalogue())
    assert found[SMALL] == "yes"
    assert found["whisper-base"] == "no"


def test_fetch_prints_where_each_model_is():
    lines = curation("models", "fetch").stdout.splitlines()
    places = dict(line.split(": ", 1) for line in lines)
    assert set(places) == set(catalogue())
    assert all(Path(place).exists() for place in places.values())


def test_fetch_takes_names_and_references(store, tmp_path):
    told = curation("models", "fetch", SMALL, f"path:{tmp_path}").stdout
    assert told == f"{SMALL}: {store / SMALL}\npath:{tmp_path}: {tmp_path}\n"


def test_import_prints_the_pinned_name(store, tmp_path):
    (tmp_path / "a.dict").write_text("a AH\n")
    place, reference = curation("models", "import", str(tmp_path / "a.dict"), "--name", "b.dict").stdout.splitlines()
    assert Path(place).read_text() == "a AH\n"
    assert resolve(reference) == Path(place)
    assert "has SHA-256" in message(
        curation("models", "import", str(tmp_path / "a.dict"), "--sha256", "0" * 64, code=1)
    )


def test_fetch_of_an_unknown_model_is_explained():
    assert "unknown model 'whisper-huge'" in message(curation("models", "fetch", "whisper-huge", code=1))


def test_verify_is_content_with_what_was_fetched():
    assert f"{len(catalogue())} models are as pinned" in curation("models", "verify").stdout


def test_verify_notices_an_altered_file_and_a_missing_one(store):
    altered = store / SMALL / "campplus_cn_en_common.pt"
    content = bytearray(altered.read_bytes())
    content[len(content) // 2] ^= 1
    altered.write_bytes(content)
    problems = curation("models", "verify", code=1).stdout.splitlines()
    (mine,) = [problem for problem in problems if str(altered) in problem]
    assert "SHA-256" in mine
    assert any("curation models fetch whisper-base" in problem for problem in problems)
