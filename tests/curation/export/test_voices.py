"""The voice of each utterance in exports, and corpora of versions that had no such column."""

import gzip
import json
import tarfile

import pyarrow.parquet as pq
import pytest

from curation.audit.corpus import Corpus
from curation.export.run import Options, export
from tests.support.audit.exported import write_rows


@pytest.fixture(scope="module")
def voiced(corpus, tmp_path_factory):
    """Two utterances, one with a voice."""
    rows = [{"id": "a", "text": "x", "voice_id": "V000007"}, {"id": "b", "text": "y"}]
    return write_rows(corpus, tmp_path_factory.mktemp("voiced") / "c", rows)


def lines(folder, kind):
    """What a format says of each utterance."""
    if kind == "huggingface":
        return pq.read_table(folder / "data").to_pylist()
    if kind == "webdataset":
        with tarfile.open(folder / "train-000000.tar") as tar:
            return [json.load(tar.extractfile(member)) for member in tar if member.name.endswith("json")]
    if kind == "lhotse":
        cuts = map(json.loads, gzip.decompress((folder / "cuts.jsonl.gz").read_bytes()).splitlines())
        return [cut["supervisions"][0]["custom"] for cut in cuts]
    name = {"nemo": "manifest.json", "emilia": "train.jsonl"}[kind]
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.mark.parametrize("kind", ["huggingface", "webdataset", "lhotse", "nemo", "emilia"])
def test_the_voice_is_said_where_it_is_known(voiced, tmp_path, kind):
    export(kind, str(voiced), str(tmp_path / "out"))
    assert [line.get("voice_id") for line in lines(tmp_path / "out", kind)] == ["V000007", None]


def test_a_voice_can_be_asked_for(voiced, tmp_path):
    assert export("emilia", str(voiced), str(tmp_path / "out"), Options("voice_id = 'V000007'")).utterances == 1


def test_a_corpus_without_the_column_is_read(corpus, tmp_path):
    old = write_rows(corpus, tmp_path / "c", [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}])
    for file in [*old.glob("shards/*.parquet"), *old.glob("segments/*.parquet")]:
        table = pq.read_table(file).drop_columns("voice_id")
        pq.write_table(table, file)
    assert Corpus.open(str(old)).ask("SELECT count(*) AS count FROM segments") == [{"count": 2}]
    for kind in ("huggingface", "webdataset", "lhotse", "nemo", "emilia", "kaldi", "croissant"):
        assert export(kind, str(old), str(tmp_path / kind)).utterances == 2
        found = lines(tmp_path / kind, kind) if kind not in {"kaldi", "croissant"} else []
        assert not any(line.get("voice_id") for line in found)
