"""Every export is opened by the package that it is for: texts, seconds and audio are those of the corpus.

curation/export/nemo.py, curation/export/huggingface.py, curation/export/croissant.py, curation/export/lhotse.py,
curation/export/webdataset.py, curation/export/kaldi.py, curation/export/emilia.py, curation/export/energon.py
"""

import base64
import io
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from curation.audio.flac import decode_flac
from curation.export.corpus import Chosen
from curation.export.ids import safe
from curation.export.kaldi import one_line
from curation.export.run import Options, export


def corpora(request, kind):
    """Utterances of the corpus and of the hostile one, and the folder of the export of each."""
    for corpus, folder in (("corpus", "exported"), ("hostile", "from_hostile")):
        every = Chosen.of(str(request.getfixturevalue(corpus))).utterances()
        yield {one.key: one for one in every}, request.getfixturevalue(folder) / kind


def heard(content):
    return soundfile.read(io.BytesIO(content) if isinstance(content, bytes) else content, dtype="float32")[0]


def check(utterances, found, text=lambda one: one.text):
    """`found` are text, seconds and wave by name."""
    assert found.keys() == utterances.keys()
    for name, (said, seconds, wave) in found.items():
        one = utterances[name]
        assert (said, seconds) == (text(one), one.seconds)
        np.testing.assert_array_equal(np.ravel(wave), decode_flac(one.audio))


def lines(path):
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def test_nemo_manifest(request):
    for utterances, folder in corpora(request, "nemo"):
        rows = {Path(row["audio_filepath"]).stem: row for row in lines(folder / "manifest.json")}
        files = {name: heard(folder / row["audio_filepath"]) for name, row in rows.items()}
        check(utterances, {name: (row["text"], row["duration"], files[name]) for name, row in rows.items()})


@pytest.mark.slow  # NeMo takes 8 s of CPU to import
def test_nemo_reads_both_manifests(request, lhotse):
    from curation.models.torch_compat import import_torchaudio

    import_torchaudio()
    from nemo.collections.common.data.lhotse.nemo_adapters import LazyNeMoIterator, LazyNeMoTarredIterator

    for utterances, folder in corpora(request, "nemo"):
        cuts = list(LazyNeMoIterator(folder / "manifest.json"))
        check(
            {name: one for name, one in utterances.items() if one.text.strip()},
            {
                Path(cut.recording.sources[0].source).stem: (
                    cut.supervisions[0].text,
                    cut.duration,
                    heard(cut.recording.sources[0].source),
                )
                for cut in cuts
                if cut.supervisions[0].text.strip()
            },
        )
    for utterances, folder in corpora(request, "nemo-tarred"):
        last = len(list(folder.glob("audio_*.tar"))) - 1
        assert last > 0
        cuts = LazyNeMoTarredIterator(
            f"{folder}/sharded_manifests/manifest__OP_0..{last}_CL_.json", f"{folder}/audio__OP_0..{last}_CL_.tar"
        )
        found = {
            Path(cut.recording.id).stem: (
                cut.supervisions[0].text,
                cut.duration,
                heard(cut.recording.sources[0].source),
            )
            for cut in cuts
        }
        check(utterances, found)
        assert len(lines(folder / "tarred_audio_manifest.json")) == len(utterances)


def test_hugging_face(request, tmp_path):
    import datasets

    for utterances, folder in corpora(request, "huggingface"):
        loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / folder.parent.name))["train"]
        assert loaded.features["audio"] == datasets.Audio(sampling_rate=16_000)
        assert len(list(folder.glob("data/*.parquet"))) > 1
        rows = loaded.cast_column("audio", datasets.Audio(decode=False))
        check(
            utterances,
            {
                Path(row["audio"]["path"]).stem: (row["text"], row["seconds"], heard(row["audio"]["bytes"]))
                for row in rows
            },
        )
        ours = {one.id: one.row for one in utterances.values()}
        assert all(row["glm"] == (ours[row["id"]]["glm"] or row["glm"]) for row in rows)
        assert all(row["words"] == (ours[row["id"]]["words"] or row["words"]) for row in rows)


READ_BY_CROISSANT = """
import base64, json, sys
import mlcroissant

def said(row):
    row = {name.removeprefix("utterances/"): value for name, value in row.items()}
    return [row["id"].decode(), row["text"].decode(), row["seconds"], base64.b64encode(row["audio"]).decode()]

for path in sys.argv[1:]:
    described = mlcroissant.Dataset(path)
    hashes = {item.id: item.sha256 for item in described.metadata.file_objects}
    errors, rows = sorted(described.metadata.issues.errors), list(map(said, described.records("utterances")))
    print("FOUND" + json.dumps([errors, hashes, rows]))
"""


@pytest.mark.slow  # to import its library takes five seconds
def test_croissant(request):
    """In a process of its own: it loads absl, which replaces Python's loggers; grimp's Rust does not survive that."""
    every = list(corpora(request, "croissant"))
    command = [sys.executable, "-c", READ_BY_CROISSANT, *(folder / "croissant.json" for _, folder in every)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    read = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("FOUND")]
    assert len(read) == len(every), done.stderr
    for (utterances, folder), (errors, hashes, rows) in zip(every, read, strict=True):
        kept = json.loads((folder / "export.json").read_text())["files"]
        assert errors == []
        assert hashes == {name: sha for name, (sha, _) in kept.items() if name.endswith(".parquet")}
        sound = {name: heard(base64.b64decode(audio)) for name, _, _, audio in rows}
        check(utterances, {safe(name): (text, seconds, sound[name]) for name, text, seconds, _ in rows})


@pytest.fixture(scope="module")
def lhotse():
    import lhotse

    lhotse.set_current_audio_backend(lhotse.audio.backend.LibsndfileBackend())
    return lhotse


def test_lhotse(request, lhotse, monkeypatch):
    for kind in ("lhotse", "lhotse-shar"):
        for utterances, folder in corpora(request, kind):
            monkeypatch.chdir(folder)
            read = lhotse.CutSet.from_file if kind == "lhotse" else lhotse.CutSet.from_shar
            cuts = list(read("cuts.jsonl.gz") if kind == "lhotse" else read(in_dir=folder / "shar"))
            for cut in cuts:
                lhotse.qa.validate(cut)
                one, supervision = utterances[cut.id], cut.supervisions[0]
                assert (supervision.speaker, supervision.language) == (one.row["speaker"], one.row["language"])
                words = [(word["text"], word["start"], word["end"]) for word in one.row["words"] or ()]
                aligned = [(w.symbol, w.start, w.end) for w in (supervision.alignment or {}).get("word", ())]
                assert aligned == words
            check(utterances, {cut.id: (cut.supervisions[0].text, cut.duration, cut.load_audio()) for cut in cuts})


def test_kaldi(request, lhotse, monkeypatch):
    for utterances, folder in corpora(request, "kaldi"):
        monkeypatch.chdir(folder)
        recordings, supervisions, _ = lhotse.kaldi.load_kaldi_data_dir(".", 16_000)
        names = {row["exported"]: safe(row["id"]) for row in lines(folder / "id_map.jsonl")}
        check(
            utterances,
            {
                names[one.id]: (one.text, one.duration, recordings[one.recording_id].load_audio())
                for one in supervisions
            },
            one_line,
        )
        assert "|" not in (folder / "wav.scp").read_text()
        for table in ("wav.scp", "segments", "text", "utt2spk", "utt2dur", "utt2lang", "spk2utt"):
            rows = (folder / table).read_bytes().splitlines()
            assert rows == sorted(rows, key=lambda row: row.split(b" ")[0])
        pairs = [row.split(b" ") for row in (folder / "utt2spk").read_bytes().splitlines()]
        assert [speaker for _, speaker in pairs] == sorted(speaker for _, speaker in pairs)
        assert all(key.startswith(speaker) for key, speaker in pairs)
        voices = {safe(one.row["speaker"]) if one.row["speaker"] else one.key for one in utterances.values()}
        assert {one.speaker for one in supervisions} == voices


def test_webdataset(request):
    import webdataset

    for utterances, folder in corpora(request, "webdataset"):
        files = sorted(map(str, folder.glob("train-*.tar")))
        assert len(files) > 1
        rows = {row["__key__"]: row for row in webdataset.WebDataset(files, shardshuffle=False)}
        said = {name: json.loads(row["json"]) for name, row in rows.items()}
        check(
            utterances,
            {name: (said[name]["text"], said[name]["seconds"], heard(row["flac"])) for name, row in rows.items()},
        )
        assert {row["id"] for row in said.values()} == {one.id for one in utterances.values()}


def test_emilia(request):
    for utterances, folder in corpora(request, "emilia"):
        rows = {row["id"]: row for row in lines(folder / "train.jsonl")}
        check(
            utterances,
            {name: (row["text"], row["duration"], heard(folder / row["wav"])) for name, row in rows.items()},
        )
        assert all(
            row.keys() == {"id", "wav", "text", "duration", "speaker", "language", "dnsmos"} for row in rows.values()
        )


@pytest.mark.parametrize("kind", ["nemo", "lhotse-shar", "huggingface", "webdataset"])
def test_opus_has_the_samples_of_the_corpus(kind, corpus, tmp_path, lhotse):
    import pyarrow.dataset as ds

    done = export(kind, str(corpus), str(tmp_path / "out"), Options(audio="opus"))
    if kind == "nemo":
        waves = [heard(path) for path in (tmp_path / "out").rglob("*.ogg")]
    elif kind == "lhotse-shar":
        waves = [cut.load_audio()[0] for cut in lhotse.CutSet.from_shar(in_dir=tmp_path / "out/shar")]
    elif kind == "webdataset":
        import webdataset

        waves = [
            heard(row["ogg"])
            for row in webdataset.WebDataset(str(tmp_path / "out/train-000000.tar"), shardshuffle=False)
        ]
    else:
        waves = [heard(row["bytes"]) for row in ds.dataset(tmp_path / "out/data").to_table()["audio"].to_pylist()]
    assert sum(map(len, waves)) / 16_000 == done.seconds


READ_BY_ENERGON = """
import json
from megatron.energon import Cooker, DefaultTaskEncoder, Sample, WorkerConfig
from megatron.energon import basic_sample_keys, edataclass, get_loader, get_train_dataset, stateless

@edataclass
class Said(Sample):
    text: str
    seconds: float

@stateless
def cook(sample):
    said = sample["json"] if isinstance(sample["json"], dict) else json.loads(sample["json"])
    return Said(**basic_sample_keys(sample), text=said["text"], seconds=said["seconds"])

class Encoder(DefaultTaskEncoder):
    cookers = [Cooker(cook)]

def read(folder):
    worker = WorkerConfig(rank=0, world_size=1, num_workers=0)
    options = dict(batch_size=None, shuffle_buffer_size=None, max_samples_per_sequence=None, repeat=False)
    data = get_train_dataset(folder, worker_config=worker, task_encoder=Encoder(), **options)
    found = {one.__key__.rpartition("/")[2]: [one.text, one.seconds] for one in get_loader(data)}
    print("FOUND" + json.dumps(found))
"""


@pytest.mark.slow  # it installs a package that asks for several others
def test_energon(corpus, tmp_path, monkeypatch):
    """In an environment of its own, which sees ours: else it would bring another torch."""
    venv.create(tmp_path / "venv", with_pip=True)
    (folder,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (folder / "ours.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    python = tmp_path / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "megatron-energon>=7,<8"], check=True)
    monkeypatch.setenv("PATH", f"{tmp_path / 'venv/bin'}:{os.environ['PATH']}")
    for name in ("one", "two"):
        export("energon", str(corpus), str(tmp_path / name), Options(shard_hours=0.001))
    assert (tmp_path / "one/export.json").read_text() == (tmp_path / "two/export.json").read_text()
    read = f"{READ_BY_ENERGON}\nread({str(tmp_path / 'one')!r})"
    done = subprocess.run([python, "-c", read], capture_output=True, text=True, check=False)
    assert "FOUND" in done.stdout, done.stderr
    found = json.loads(done.stdout.partition("FOUND")[2])
    ours = {one.key: [one.text, one.seconds] for one in Chosen.of(str(corpus)).utterances()}
    assert found == ours


def test_energon_that_is_not_installed(corpus, tmp_path, monkeypatch):
    from curation.core.errors import ConfigError

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="pip install megatron-energon"):
        export("energon", str(corpus), str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
