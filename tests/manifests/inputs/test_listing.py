"""Inputs: files, folders, globs, manifests and URLs become sources with stable ids."""

import json
import threading
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import ConfigError, StorageError
from curation.manifests.inputs.allowed import InputsConfig
from curation.manifests.inputs.ids import make_id
from curation.manifests.inputs.listing import Listing, list_inputs
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
    assert "left out: 1 no audio or video, by their suffix, e.g. " in caplog.text
    assert "notes.txt" in caplog.text


def test_globs_and_single_files(folder):
    assert paths([str(folder / "*.wav")]) == [str(folder / "b.wav")]
    assert paths([str(folder / "**/*.FLAC")]) == [str(folder / "deep/er/c.FLAC")]
    assert paths([str(folder / "notes.txt")]) == [str(folder / "notes.txt")]


def test_a_folder_with_the_name_of_a_recording_is_none(folder):
    (folder / "take.wav").mkdir()
    (folder / "take.wav/one.wav").write_bytes(b"1")
    assert paths([str(folder / "*.wav")]) == [str(folder / "b.wav")]


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


@pytest.mark.parametrize("column", ["path", "audio_filepath", "audio"])
def test_names_of_the_path_column(folder, column):
    (folder / "m.jsonl").write_text(json.dumps({column: "b.wav", "duration": 3.5}))
    (item,) = list_inputs([str(folder / "m.jsonl")])
    assert item.source.path == str(folder / "b.wav")
    assert item.source.extra == {"duration": 3.5}


def test_columns_that_json_does_not_know_become_text(folder):
    row = {"path": "b.wav", "taken": datetime(2024, 2, 3, 4, 5, tzinfo=UTC), "missing": None}
    pq.write_table(pa.Table.from_pylist([row]), folder / "m.parquet")
    (item,) = list_inputs([str(folder / "m.parquet")])
    assert item.source.extra == {"taken": "2024-02-03 04:05:00+00:00"}


def test_a_manifest_of_nemo_and_its_text(folder):
    """`text` is the transcript where there is no other, and stays among the further columns."""
    lines = [{"audio_filepath": "b.wav", "text": "well"}, {"path": "a.mp3", "text": "no", "transcript": "yes"}]
    (folder / "m.jsonl").write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    found = {item.source.path.rsplit("/", 1)[1]: item.source for item in list_inputs([str(folder / "m.jsonl")])}
    assert (found["b.wav"].transcript, found["b.wav"].extra) == ("well", {"text": "well"})
    assert (found["a.mp3"].transcript, found["a.mp3"].extra) == ("yes", {"text": "no"})


@pytest.mark.parametrize(("kind", "content"), [("jsonl", '{"path": "b.wav"}'), ("csv", "path,year\nb.wav,1811")])
def test_a_byte_order_mark_is_no_part_of_a_manifest(folder, kind, content):
    (folder / f"m.{kind}").write_text(content, encoding="utf-8-sig")
    (item,) = list_inputs([str(folder / f"m.{kind}")])
    assert item.source.path == str(folder / "b.wav")


def test_ids_of_a_glob_are_those_of_the_folder_before_its_first_wildcard(folder, tmp_path):
    """So that a corpus keeps its ids when it is named another way."""
    (folder / "deep/er/d.wav").write_bytes(b"1")
    by_folder = {item.source.path: item.source.id for item in list_inputs([str(folder)])}
    for pattern in ("*.wav", "?.wav", "[ab].wav", "**/*.wav", "d*/e*/*.wav", "d?ep/er/d.wav", "[d]eep/er/d.wav"):
        found = list_inputs([str(folder / pattern)])
        assert found, pattern
        assert {item.source.id for item in found} <= set(by_folder.values()), pattern
    (item,) = list_inputs([str(folder / "deep/er/d.w[a]v")])
    assert item.source.id == make_id("d.wav") != by_folder[item.source.path]


def test_one_recording_named_twice_is_one(folder):
    assert [item.source.path for item in list_inputs([str(folder), str(folder / "b.wav")])].count(
        str(folder / "b.wav")
    ) == 1


def test_folders_with_equal_files_are_different_recordings(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/b.wav").write_bytes(b"1")
    names = [str(folder), str(tmp_path / "other")]
    found = list_inputs(names)
    assert len(found) == 4
    assert found == list_inputs(names[::-1])


def test_the_same_values_from_two_manifests_are_one_recording_and_others_an_error(folder):
    row = {"path": "b.wav", "language": "de"}
    (folder / "one.jsonl").write_text(json.dumps(row))
    (folder / "two.jsonl").write_text(json.dumps(row))
    names = [str(folder / "one.jsonl"), str(folder / "two.jsonl"), str(folder)]
    for order in (names, names[::-1]):
        (item,) = (item for item in list_inputs(order) if item.source.path.endswith("b.wav"))
        assert item.source.language == "de"  # the folder, which holds it too, says nothing of the language
    (folder / "two.jsonl").write_text(json.dumps({**row, "language": "en"}))
    with pytest.raises(ConfigError, match=r"one\.jsonl, row 1 and .*two\.jsonl, row 1 name the same recording"):
        list_inputs(names)


def test_tables_of_common_voice(folder):
    """The recordings are in `clips` beside the table."""
    (folder / "clips").mkdir()
    (folder / "clips/x_1.mp3").write_bytes(b"1")
    header = ["client_id", "path", "sentence", "up_votes", "locale"]
    rows = [header, ["fe2a", "x_1.mp3", '"Ja," sagte er.', "2", "de"]]
    (folder / "validated.tsv").write_text("\n".join(map("\t".join, rows)) + "\n")
    (item,) = list_inputs([str(folder / "validated.tsv")])
    source = item.source
    assert source.path == str(folder / "clips/x_1.mp3")
    assert (source.speaker, source.language, source.transcript) == ("fe2a", "de", '"Ja," sagte er.')
    assert source.id in {other.source.id for other in list_inputs([str(folder)])}


def listing(folder, *rows):
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return Listing([str(folder / "m.jsonl")])


def test_rows_of_one_file_with_offsets_are_recordings_of_their_own(folder):
    lines = [{"audio_filepath": "b.wav", "offset": at, "duration": 2.0} for at in (0, 2.0, 4.5)]
    found = listing(folder, *lines).distinct()
    assert [(item.source.offset, item.source.duration) for item in found] == [(0.0, 2.0), (2.0, 2.0), (4.5, 2.0)]
    assert len({item.source.id for item in found}) == 3


@pytest.mark.parametrize("first", [{"path": "b.wav"}, {"path": "b.wav", "duration": 2.0}])
def test_a_file_is_not_a_recording_and_parts_of_it_too(folder, first):
    lines = [first, {"path": "b.wav", "offset": 2.0, "duration": 2.0}]
    with pytest.raises(
        ConfigError, match=r"row 2 is a part of .*row 1 is the whole.*give every row of a file an offset"
    ):
        listing(folder, *lines).distinct()
    with pytest.raises(ConfigError, match=r"row 1 is a part of .*b\.wav is the whole"):
        Listing([str(folder), *[argument.name for argument in listing(folder, lines[1]).arguments]]).distinct()


def test_outside_of_builds_files_are_whole(folder):
    (folder / "m.jsonl").write_text(json.dumps({"path": "b.wav", "offset": 1.0}))
    with pytest.raises(ConfigError, match="row 1: only builds cut recordings out of files"):
        list_inputs([str(folder / "m.jsonl")])


def test_a_name_that_exists_is_no_pattern(folder):
    name = "Interview [dQw4w9WgXcQ]?.wav"
    (folder / name).write_bytes(b"1")
    assert paths([str(folder / name)]) == [str(folder / name)]
    box = folder / "box [1]"
    box.mkdir()
    (box / "x.wav").write_bytes(b"1")
    assert paths([str(box)]) == paths([str(box / "*.wav")]) == [str(box / "x.wav")]
    by_folder, by_pattern = list_inputs([str(box)]), list_inputs([str(box / "?.wav")])
    assert by_folder == by_pattern


def test_a_pattern_may_match_manifests_and_a_folder_may_be_one(folder):
    parts = folder / "m.parquet"
    parts.mkdir()
    for number, name in enumerate(["a.mp3", "b.wav"]):
        pq.write_table(pa.table({"path": [name], "language": ["de"]}), parts / f"part-{number}.parquet")
        (folder / f"m{number}.jsonl").write_text(json.dumps({"path": name, "language": "de"}))
    expected = [(str(folder / name), "de") for name in ("a.mp3", "b.wav")]
    for name in ("m.parquet", "m*.jsonl"):
        found = list_inputs([str(folder / name)])
        assert sorted((item.source.path, item.source.language) for item in found) == expected


def test_recordings_come_in_the_order_of_their_ids_whatever_names_them(folder):
    lines = [{"path": "b.wav", "id": "z"}, {"path": "a.mp3", "id": "m"}]
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = [item.source.id for item in list_inputs([str(folder / "m.jsonl"), str(folder / "deep")])]
    assert found == sorted(found)
    assert {"m", "z"} < set(found)


def test_a_manifest_gives_a_recording_the_id_that_its_folder_gives(folder):
    lines = [{"path": "./b.wav"}, {"path": str(folder / "a.mp3")}, {"path": "deep/../deep/er/c.FLAC"}]
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert {(item.source.id, item.source.path) for item in list_inputs([str(folder / "m.jsonl")])} == {
        (item.source.id, item.source.path) for item in list_inputs([str(folder)])
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"path": 7}', "row 1: no path"),
        ('{"path": "a.mp3"}\n{"path": "b.wav", "id": ".x"}', "row 2: id"),
        (json.dumps({"path": "a.mp3", "id": "x" * 201}), "row 1: id"),
        ('{"file": "a.mp3"}', "row 1: no path"),
        ('{"path": "a.mp3", "id": "../x"}', "row 1: id"),
        ('{"path": "a.mp3", "id": "x"}\n{"path": "b.wav", "id": "x"}', "same id 'x'"),
        ("{not json", "row 1: it is not JSON"),
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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "an input has no name"),
        ("nowhere://x", "nowhere://x: Protocol not known: nowhere"),
        ("/dev/null/x.wav", "does not exist"),
    ],
)
def test_inputs_that_cannot_be_read_are_named(name, message):
    with pytest.raises(ConfigError, match=message):
        list_inputs([name])


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
    with pytest.raises(ConfigError, match=r"m\.jsonl, row 1: http.*is not below what manifests may name"):
        toy_build(tmp_path / "m.jsonl", tmp_path / "out")
    trusting = toy_config().model_copy(update={"inputs": InputsConfig(allow=[server])})
    toy_build(tmp_path / "m.jsonl", tmp_path / "out", trusting)
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


def test_a_store_that_is_busy_while_it_is_listed_is_waited_for(s3, s3_bucket, monkeypatch):
    monkeypatch.setattr("curation.core.faults.DELAYS", (0.0,) * 3)
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    fs = fsspec.filesystem("s3")
    for name in ("a.wav", "deeper/b.wav"):
        fs.pipe_file(f"{s3_bucket}/in/{name}", b"RIFF")
    expected = paths([f"{s3_bucket}/in"])
    assert len(expected) == 2
    turn = iter(range(10**6))
    s3.fault = lambda _: (503, 500, None)[next(turn) % 3]
    assert paths([f"{s3_bucket}/in"]) == expected
    s3.fault = lambda _: 503
    with pytest.raises(StorageError, match=f"{s3_bucket}/in cannot be read"):
        paths([f"{s3_bucket}/in"])
