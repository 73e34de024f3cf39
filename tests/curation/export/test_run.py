"""Every export: the same bytes each time, whole or not at all, and only what was asked for."""

import hashlib
import json
import shutil

import duckdb
import pytest

from curation.core.errors import ConfigError, DataError, LockError
from curation.core.storage import Storage
from curation.export import folder as folders
from curation.export.run import Options, export
from tests.curation.export.conftest import PLAIN, SMALL
from tests.support.audit.exported import HOSTILE, write_rows
from tests.support.story import KEPT


def described(folder):
    return json.loads((folder / "export.json").read_text())


def on_disk(folder):
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "export.json"]
    content = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: [hashlib.sha256(data).hexdigest(), len(data)] for name, data in content.items()}


@pytest.mark.parametrize("name", PLAIN)
def test_exporting_twice_gives_the_same_bytes_and_the_index_names_them_all(name, corpus, exported, tmp_path):
    export(name, str(corpus), str(tmp_path / "again"), SMALL)
    assert (tmp_path / "again/export.json").read_bytes() == (exported / name / "export.json").read_bytes()
    assert on_disk(tmp_path / "again") == on_disk(exported / name) == described(exported / name)["files"]


def test_the_bytes_are_the_same_however_the_corpus_is_named(corpus, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(corpus)
    export("croissant", ".", str(tmp_path / "again"), SMALL)
    assert (tmp_path / "again/export.json").read_bytes() == (exported / "croissant/export.json").read_bytes()


def test_the_index_says_of_what_and_how_much(corpus, exported):
    found = described(exported / "nemo")
    index = Storage(str(corpus)).read_bytes("shards/_index.json")
    assert found["corpus"] == hashlib.sha256(index).hexdigest()
    assert (found["format"], found["utterances"]) == ("nemo", len(KEPT))
    assert found["seconds"] == json.loads(index)["seconds"]
    assert found["options"] == {"where": "", "shard_hours": 0.001, "audio": "flac", "split": "", "tiers": []}


@pytest.mark.parametrize("name", PLAIN)
def test_no_path_leaves_the_folder_whatever_ids_are(name, from_hostile):
    found = described(from_hostile / name)
    assert found["utterances"] == len(HOSTILE)
    for file in found["files"]:
        assert all(part not in {"", ".", ".."} for part in file.split("/"))
        assert set(file) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
    assert on_disk(from_hostile / name) == found["files"]
    assert sorted(path.name for path in from_hostile.iterdir()) == sorted(PLAIN)


def test_only_what_fulfils_the_condition(corpus, tmp_path):
    done = export("nemo", str(corpus), str(tmp_path / "zh"), Options("language = 'zh' -- and no other"))
    rows = [json.loads(line) for line in (tmp_path / "zh/manifest.json").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["你好, 世界"]
    assert (done.utterances, done.seconds) == (1, 1.0)


@pytest.mark.parametrize(
    "where",
    [
        "id IN (SELECT content FROM read_text('{secret}'))",
        "id = (SELECT text FROM read_csv('{secret}', columns={{'text': 'VARCHAR'}}))",
        "true); COPY segments TO '{target}'; SELECT (true",
        "true); SET enable_external_access = true; SELECT (true",
        "nonsense",
        "true) OR (",
    ],
)
def test_a_condition_reads_and_writes_nothing_else(where, corpus, tmp_path):
    (tmp_path / "secret").write_text("secret")
    where = where.format(secret=tmp_path / "secret", target=tmp_path / "stolen")
    with pytest.raises(ConfigError, match=r"--where: .*curation schema"):
        export("nemo", str(corpus), str(tmp_path / "out"), Options(where))
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_condition_that_nothing_fulfils(corpus, tmp_path):
    with pytest.raises(ConfigError, match="no kept utterance fulfils --where language = 'xx'"):
        export("nemo", str(corpus), str(tmp_path / "out"), Options("language = 'xx'"))


def test_rejected_utterances_cannot_be_asked_for(corpus, tmp_path):
    done = export("nemo", str(corpus), str(tmp_path / "out"), Options("status = 'rejected' OR true"))
    assert done.utterances == len(KEPT)


def test_a_condition_that_changes_from_look_to_look(corpus, tmp_path):
    """By chance two looks at a small corpus agree now and then."""

    def looks():
        for _ in range(20):
            export("nemo", str(corpus), str(tmp_path / "out"), Options("random() < 0.5 OR id LIKE 'ann%'"))
            shutil.rmtree(tmp_path / "out")

    with pytest.raises(DataError, match=r"may not change from look to look \(random\(\)\)"):
        looks()
    assert list(tmp_path.iterdir()) == []


def test_without_audio_it_says_what_to_do(corpus, tmp_path):
    copy = write_rows(corpus, tmp_path / "corpus", [{"id": "a", "text": "x", "audio": None}])
    with pytest.raises(ConfigError, match=r"has no audio of a: .*publish.audio=true"):
        export("nemo", str(copy), str(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_staged_speech_that_was_removed(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    shutil.rmtree(tmp_path / "corpus/speech")
    with pytest.raises(ConfigError, match="has no audio of ann-0000008000-0000024000"):
        export("nemo", str(tmp_path / "corpus"), str(tmp_path / "out"))


def test_an_earlier_export_is_replaced_and_nothing_else(corpus, tmp_path):
    out = tmp_path / "out"
    export("kaldi", str(corpus), str(out))
    export("nemo", str(corpus), str(out))
    assert not (out / "wav.scp").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    for target in (tmp_path / "mine", tmp_path / "mine/thesis.txt"):
        with pytest.raises(ConfigError, match="is not an export: give another folder"):
            export("nemo", str(corpus), str(target))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


def test_what_a_killed_export_left_is_removed(corpus, tmp_path):
    (tmp_path / ".out.partial/audio").mkdir(parents=True)
    (tmp_path / ".out.partial/audio/left.flac").write_bytes(b"x")
    (tmp_path / ".out.partial/manifest.json").symlink_to(tmp_path / "elsewhere")
    export("nemo", str(corpus), str(tmp_path / "out"))
    assert on_disk(tmp_path / "out") == described(tmp_path / "out")["files"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_exports_to_one_folder(corpus, tmp_path):
    with folders.Folder.appearing(tmp_path / "out") as first:
        with pytest.raises(LockError, match="another export writes"):
            export("nemo", str(corpus), str(tmp_path / "out"))
        first.write("x", b"1")
        first.finish({"format": "x"})
    assert described(tmp_path / "out")["files"] == {"x": [hashlib.sha256(b"1").hexdigest(), 1]}


@pytest.mark.parametrize(
    ("kind", "target", "options", "message"),
    [
        ("nemoo", "out", Options(), "no format 'nemoo': choose one of nemo, "),
        ("nemo", "s3://bucket/out", Options(), "a folder of this machine"),
        ("nemo", "", Options(), "the export has no name"),
        ("kaldi", "out", Options(audio="opus"), "leave --audio out"),
    ],
)
def test_what_cannot_be_exported(kind, target, options, message, corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        export(kind, str(corpus), target, options)
    assert list(tmp_path.iterdir()) == []


def test_an_export_within_the_corpus_would_outlive_what_is_removed(corpus):
    for target in (corpus, f"{corpus}/exports/../nemo"):
        with pytest.raises(ConfigError, match="within the corpus, where removed recordings would stay"):
            export("nemo", str(corpus), str(target))
    assert not (corpus / "nemo").exists()


def test_a_corpus_that_is_not_published(tmp_path):
    with pytest.raises(ConfigError, match="holds no finished build"):
        export("nemo", str(tmp_path / "build"), str(tmp_path / "out"))


def test_shards_and_segments_that_do_not_agree(corpus, tmp_path):
    copy = write_rows(corpus, tmp_path / "corpus", [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}])
    index = json.loads((copy / "shards/_index.json").read_text())
    Storage(str(copy)).write_json("shards/_index.json", {**index, "shards": []})
    with pytest.raises(DataError, match="0 utterances in the shards fulfil the condition, 2 in the segments"):
        export("nemo", str(copy), str(tmp_path / "out"))


def test_conditions_see_the_scores(corpus, tmp_path):
    [(wanted,)] = duckdb.sql(
        f"SELECT count(*) FROM '{corpus}/segments/*.parquet' WHERE status = 'kept' AND pwer > 0.1"
    ).fetchall()
    assert export("emilia", str(corpus), str(tmp_path / "out"), Options("pwer > 0.1")).utterances == wanted > 0
