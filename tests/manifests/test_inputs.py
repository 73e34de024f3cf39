"""Inputs: files, folders, globs, manifests and URLs become sources with stable ids."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import ConfigError
from curation.manifests.inputs import list_inputs, make_id
from curation.pipeline.run import build
from tests.support.builds import rows, toy_build, toy_config, write_recordings
from tests.support.toy import toy_stages


@pytest.fixture
def folder(tmp_path):
    for name in ("b.wav", "a.mp3", "deep/er/c.FLAC", "notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return tmp_path / "in"


def paths(inputs):
    return sorted(item.source.path for item in list_inputs(inputs))


def test_a_folder_is_searched_to_its_depth(folder):
    assert paths([str(folder)]) == [str(folder / name) for name in ("a.mp3", "b.wav", "deep/er/c.FLAC")]
    assert all(item.size == 5 for item in list_inputs([str(folder)]))


def test_files_left_out_are_told(folder, caplog):
    list_inputs([str(folder)])
    assert "1 files" in caplog.text
    assert "notes.txt" in caplog.text


def test_globs_and_single_files(folder):
    assert paths([str(folder / "*.wav")]) == [str(folder / "b.wav")]
    assert paths([str(folder / "**/*.FLAC")]) == [str(folder / "deep/er/c.FLAC")]
    assert paths([str(folder / "notes.txt")]) == [str(folder / "notes.txt")]


def test_ids_do_not_change_when_a_corpus_moves(folder, tmp_path):
    before = [item.source.id for item in list_inputs([str(folder)])]
    folder.rename(tmp_path / "elsewhere")
    assert [item.source.id for item in list_inputs([str(tmp_path / "elsewhere")])] == before == sorted(before)


def test_urls(folder):
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/bucket/x/one.wav", b"123")
    (item,) = list_inputs(["memory://bucket/x"])
    assert item.source.path == "memory:///bucket/x/one.wav"
    assert item.size == 3


ROWS = [
    {"path": "a.mp3", "language": "de", "speaker": "ann", "transcript": "hallo", "year": 1990},
    {"path": "deep/er/c.FLAC", "id": "mine"},
]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_manifests_carry_their_columns(folder, kind):
    file = folder / f"m.{kind}"
    if kind == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in ROWS))
    elif kind == "csv":
        file.write_text("path,language,speaker,transcript,year,id\na.mp3,de,ann,hallo,1990,\ndeep/er/c.FLAC,,,,,mine\n")
    else:
        pq.write_table(pa.Table.from_pylist([{**ROWS[0], "id": None}, {**dict.fromkeys(ROWS[0]), **ROWS[1]}]), file)
    first, second = (item.source for item in list_inputs([str(file)]))
    assert (first.language, first.speaker, first.transcript) == ("de", "ann", "hallo")
    assert first.path == str(folder / "a.mp3")
    assert str(first.extra["year"]) == "1990"
    assert (second.id, second.path) == ("mine", str(folder / "deep/er/c.FLAC"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"file": "a.mp3"}', "row 1: no path"),
        ('{"path": "a.mp3", "id": "../x"}', "row 1: id"),
        ('{"path": "a.mp3", "id": "x"}\n{"path": "b.wav", "id": "x"}', "same id 'x'"),
        ("{not json", "cannot be read as jsonl"),
        ("", "no recordings"),
    ],
)
def test_bad_manifests_are_explained(folder, content, message):
    (folder / "m.jsonl").write_text(content)
    with pytest.raises(ConfigError, match=message):
        list_inputs([str(folder / "m.jsonl")])


def test_what_does_not_exist(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        list_inputs([str(tmp_path / "nothing")])


def test_ids_are_readable_and_differ_by_folder():
    assert make_id("a/Über uns (1).wav").startswith("ber-uns-1-")
    assert make_id("a/x.wav") != make_id("b/x.wav")


@pytest.fixture
def server(tmp_path):
    write_recordings(tmp_path / "served", ["alpha"])
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_recording_is_read_from_a_web_server(server, tmp_path):
    summary = build(toy_config(), [f"{server}/alpha.wav"], str(tmp_path / "out"), make_stages=toy_stages)
    local = toy_build(tmp_path / "served", tmp_path / "local")
    assert summary.failed_recordings == 0
    assert summary.utterances == local.utterances > 0


def test_a_url_that_does_not_exist_is_a_failed_row(server, tmp_path):
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": f"{server}/nothing.wav"}))
    toy_build(tmp_path / "m.jsonl", tmp_path / "out")
    (row,) = rows(tmp_path / "out", "ledger")
    assert (row["status"], row["reason"]) == ("failed", "decode")
    assert "nothing.wav" in row["path"]


def test_input_and_output_in_an_object_store(tmp_path):
    write_recordings(tmp_path / "in", ["alpha", "beta"])
    fs = fsspec.filesystem("memory")
    for path in (tmp_path / "in").iterdir():
        fs.pipe_file(f"/{tmp_path.name}/in/{path.name}", path.read_bytes())
    root = f"memory://{tmp_path.name}"
    summary = build(toy_config(), [f"{root}/in"], f"{root}/out", make_stages=toy_stages)
    local = toy_build(tmp_path / "in", tmp_path / "out")
    assert (summary.utterances, summary.seconds) == (local.utterances, local.seconds)
