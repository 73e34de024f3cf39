"""Corpora of other software as inputs: what they say, and what is wrong with them, with file, row and remedy.

manifests/inputs/corpora/librispeech.py, manifests/inputs/corpora/kaldi.py, manifests/inputs/corpora/lhotse.py,
manifests/inputs/corpora/emilia.py, manifests/inputs/corpora/huggingface.py,
 manifests/inputs/corpora/manifests.py, manifests/inputs/corpora/row.py,
manifests/inputs/argument.py
"""

import gzip
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from curation.core.errors import ConfigError
from curation.manifests.inputs.corpora.registry import CORPORA
from curation.manifests.inputs.listing import Listing, list_inputs
from curation.pipeline.run import build
from tests.support.builds import rows, toy_config
from tests.support.toy import toy_stages


def written(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return folder


def sources(name, folder):
    """What is said of each recording, by the file below the folder."""
    found = [item.source for item in Listing([name]).distinct()]
    return {
        (one.path.removeprefix(f"{folder}/"), one.offset, one.duration): (one.transcript, one.speaker, one.language)
        for one in found
    }


def cut(**changes):
    recording = {
        "id": "r",
        "sources": [{"type": "file", "channels": [0, 1], "source": "r.wav"}],
        "sampling_rate": 16_000,
        "num_samples": 160_000,
        "duration": 10.0,  # older versions write no channel_ids
    }
    said = {"id": "s", "recording_id": "r", "start": 0.5, "duration": 2.0, "text": "Well.", "speaker": "ann"}
    whole = {"id": "c", "start": 1.0, "duration": 5.0, "channel": 1, "type": "MonoCut"}
    return {**whole, "supervisions": [{**said, "language": "English"}], "recording": recording, **changes}


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_librispeech(tmp_path):
    text = "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT IN LESS\n"
    written(tmp_path, {"LibriSpeech/84/121123/84-121123.trans.txt": text, ".trash/1-2.trans.txt": "x"})
    folder = "LibriSpeech/84/121123"
    assert sources(f"librispeech:{tmp_path}", tmp_path) == {
        (f"{folder}/84-121123-0000.flac", None, None): ("GO DO YOU HEAR", "84", "en"),
        (f"{folder}/84-121123-0001.flac", None, None): ("BUT IN LESS", "84", "en"),
    }


def test_kaldi_with_segments(tmp_path):
    written(
        tmp_path,
        {
            "wav.scp": "rec1 /data/with blank.wav\nrec2 b.wav\n",
            "segments": "ann-1 rec1 0.5 2.25\nann-2 rec1 3 -1\nbob-1 rec2 0.0 1.0\n",
            "text": "ann-1 so it is\nann-2\nbob-1 gewiß\n",
            "utt2spk": "ann-1 ann\nann-2 ann\nbob-1 bob\n",
            "utt2lang": "ann-1 en\nbob-1 de\n",
        },
    )
    assert sources(f"kaldi:{tmp_path}", tmp_path) == {
        ("/data/with blank.wav", 0.5, 1.75): ("so it is", "ann", "en"),
        ("/data/with blank.wav", 3.0, None): ("", "ann", ""),
        ("b.wav", 0.0, 1.0): ("gewiß", "bob", "de"),
    }


def test_kaldi_without_segments(tmp_path):
    written(tmp_path, {"wav.scp": "a a.wav\nb b.wav\n", "text": "a one\n"})
    found = sources(f"kaldi:{tmp_path}", tmp_path)
    assert found == {("a.wav", None, None): ("one", "", ""), ("b.wav", None, None): ("", "", "")}


def test_lhotse(tmp_path):
    whole = {
        **cut()["recording"],
        "channel_ids": [0],
        "sources": [{"type": "file", "channels": [0], "source": "w.wav"}],
    }
    rows = [
        cut(),
        cut(start=0, duration=10.0, channel=0, supervisions=[], recording=whole),
    ]
    written(tmp_path, {"cuts.jsonl.gz": jsonl(*rows)})
    assert sources(f"lhotse:{tmp_path}/cuts.jsonl.gz", tmp_path) == {
        ("r.wav", 1.5, 2.0): ("Well.", "ann", "en"),
        ("w.wav", None, None): ("", "", ""),
    }
    (part,) = [item.source for item in Listing([f"lhotse:{tmp_path}/cuts.jsonl.gz"]).distinct() if item.source.offset]
    assert (part.channel, part.extra) == (1, {"utterance": "s"})


def test_nemo_and_common_voice_and_emilia(tmp_path):
    written(
        tmp_path,
        {
            "m.json": jsonl({"audio_filepath": "a.wav", "text": "x", "duration": 3.0, "lang": "de", "pnc": "yes"}),
            "cv/validated.tsv": "client_id\tpath\tsentence\tlocale\nc1\tone.mp3\tHallo.\tde\n",
            "emilia/EN/0.jsonl": jsonl({"id": "e", "wav": "0/e.mp3", "text": "Hi.", "speaker": "s", "language": "en"}),
        },
    )
    assert sources(f"nemo:{tmp_path}/m.json", tmp_path) == {("a.wav", None, None): ("x", "", "de")}
    assert sources(f"commonvoice:{tmp_path}/cv/validated.tsv", tmp_path) == {
        ("cv/clips/one.mp3", None, None): ("Hallo.", "c1", "de")
    }
    assert sources(f"emilia:{tmp_path}/emilia", tmp_path) == {("emilia/EN/0/e.mp3", None, None): ("Hi.", "s", "en")}


SCP = {"wav.scp": "a a.wav\n"}


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("librispeech:", {"a.txt": "x"}, "has no transcripts: name the folder of LibriSpeech"),
        (
            "librispeech:",
            {"1-2.trans.txt": "1-2-3 A\n1-2-4\n"},
            "1-2.trans.txt, row 2: expected SPEAKER-CHAPTER-NUMBER",
        ),
        ("librispeech:", {"1-2.trans.txt": "../1-2-3 A\n"}, "row 1: expected SPEAKER-CHAPTER-NUMBER"),
        ("kaldi:", {"text": "a b\n"}, "has no wav.scp"),
        ("kaldi:", {"wav.scp": "a touch owned |\n"}, "wav.scp, row 1: a command, which is not run"),
        ("kaldi:", {"wav.scp": "a |touch owned\n"}, "wav.scp, row 1: a command, which is not run"),
        ("kaldi:", {"wav.scp": "a raw.ark:123\n"}, "raw.ark:123 is no file of audio"),
        ("kaldi:", {"wav.scp": "a a.wav\nb\n"}, "wav.scp, row 2: expected an id and what belongs to it"),
        ("kaldi:", {"wav.scp": "b b.wav\na a.wav\n"}, "wav.scp, row 2: a comes after b: sort it with LC_ALL=C"),
        ("kaldi:", {"wav.scp": "a a.wav\na b.wav\n"}, "wav.scp, row 2: a comes after a"),
        ("kaldi:", {**SCP, "text": "a x\nz y\n"}, "text, row 2: z is not in wav.scp: mend the directory"),
        ("kaldi:", {**SCP, "segments": "u b 0 1\n"}, "segments, row 1: b is not in wav.scp"),
        ("kaldi:", {**SCP, "segments": "u a 2 1\n"}, "segments, row 1: it ends at 1 s and starts at 2 s"),
        ("kaldi:", {**SCP, "segments": "u a x 1\n"}, "segments, row 1: expected an utterance, a recording, start"),
        ("kaldi:", {**SCP, "segments": "u a nan nan\n"}, "segments, row 1: it ends at nan s"),
        ("lhotse:cuts.jsonl", {"cuts.jsonl": jsonl(cut(), {"id": "x"})}, "cuts.jsonl, row 2: it is no cut of lhotse"),
        (
            "lhotse:cuts.jsonl",
            {"cuts.jsonl": jsonl(cut(type="MixedCut"))},
            "row 1: a MixedCut is not read: save the cuts",
        ),
        (
            "lhotse:cuts.jsonl",
            {"cuts.jsonl": jsonl(cut(recording={**cut()["recording"], "transforms": [{"name": "Speed"}]}))},
            "row 1: a recording that is changed when it is read",
        ),
        (
            "lhotse:cuts.jsonl",
            {
                "cuts.jsonl": jsonl(
                    cut(
                        recording={
                            **cut()["recording"],
                            "sources": [{"type": "command", "channels": [1], "source": "touch owned"}],
                        }
                    )
                )
            },
            "row 1: a recording in a source of type command is not read",
        ),
        ("lhotse:cuts.txt", {"cuts.txt": ""}, "is no file .jsonl"),
        ("lhotse:cuts.jsonl.gz", {"cuts.jsonl.gz": "{\n"}, "row 1: it is not JSON"),
        ("nemo:m.json", {"m.json": jsonl({"path": "a.wav"})}, "row 1: no audio_filepath: name a manifest of NeMo"),
        (
            "nemo:m.json",
            {"m.json": jsonl({"audio_filepath": "a.wav", "shard_id": 3})},
            "audio_3.tar is not there: put the tar files beside the manifest",
        ),
        ("commonvoice:v.tsv", {"v.tsv": "path\tsentence\na.mp3\tx\n"}, "row 1: no column client_id: name a table of"),
        ("emilia:", {"x.txt": ""}, "has no *.jsonl"),
        ("emilia:", {"x.jsonl": jsonl({"wav": "a.mp3"})}, "x.jsonl, row 1: no text"),
        (
            "emilia:",
            {"x.jsonl": jsonl({"wav": "a.mp3", "text": "x", "language": "xx"})},
            "language: 'xx' is no language",
        ),
        ("hf:nowhere", {}, "does not exist: the folder of a data set on this machine"),
        ("hf:", {"a.txt": ""}, "has neither *.parquet nor metadata"),
        ("hf:", {"metadata.csv": "path\na.wav\n"}, "metadata.csv, row 1: no file_name"),
        ("kaldi:nowhere", {}, "does not exist: a directory of Kaldi"),
        ("kaldi:", {"wav.scp": "a https://elsewhere/a.wav\n"}, "is not below what manifests may name"),
        ("lhotse:cuts.jsonl", {"cuts.jsonl.gz": ""}, "does not exist"),
    ],
)
def test_what_is_wrong_is_named(name, files, message, tmp_path):
    written(tmp_path, files)
    prefix, _, rest = name.partition(":")
    with pytest.raises(ConfigError, match=re.escape(message)):
        list_inputs([f"{prefix}:{tmp_path}/{rest}".rstrip("/")])
    assert not list(tmp_path.rglob("owned"))


def test_hugging_face_with_metadata(tmp_path):
    table = "file_name,transcription,speaker_id,id\ndata/a.wav,Well.,ann,7\n"
    written(tmp_path, {"train/metadata.csv": table, "other.parquet": "x"})
    assert sources(f"hf:{tmp_path}", tmp_path) == {("train/data/a.wav", None, None): ("Well.", "ann", "")}
    (item,) = list_inputs([f"hf:{tmp_path}"])
    assert item.source.extra == {"speaker_id": "ann", "hf_id": "7"}


def test_ids_of_embedded_recordings_stay_when_a_data_set_moves(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        audio = pa.array([{"bytes": b"x", "path": "a.wav"}] * 2)
        pq.write_table(pa.table({"audio": audio, "text": ["a", "b"]}), tmp_path / folder / "d.parquet")
    one, two = ({item.source.id for item in list_inputs([f"hf:{tmp_path / name}"])} for name in ("one", "two"))
    assert one == two
    assert len(one) == 2


def test_a_build_of_all_of_them_has_their_texts_as_transcripts(tmp_path):
    names = ["1-2-3.flac", "k.wav", "r.wav", "n.wav", "clips/c.wav", "h.wav", "e.wav"]
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        samples = 0.3 * np.random.default_rng(number).standard_normal(64_000)
        soundfile.write(tmp_path / name, samples, 16_000)
    recording = {"sources": [{"type": "file", "channels": [0], "source": "r.wav"}], "duration": 4.0, "id": "r"}
    written(
        tmp_path,
        {
            "1-2.trans.txt": "1-2-3 LIBRI SPEECH\n",
            "wav.scp": "k k.wav\n",
            "text": "k kaldi\n",
            "cuts.jsonl": jsonl(
                cut(
                    start=0,
                    channel=0,
                    duration=4.0,
                    recording=recording,
                    supervisions=[{"id": "s", "start": 0, "duration": 4.0, "text": "Lhotse."}],
                )
            ),
            "m.json": jsonl({"audio_filepath": "n.wav", "text": "nemo", "duration": 4.0}),
            "validated.tsv": "client_id\tpath\tsentence\tlocale\nx\tc.wav\tCommon Voice?\ten\n",
            "hf/metadata.csv": "file_name,transcription\n../h.wav,Hugging Face!\n",
            "emilia/e.jsonl": jsonl({"id": "e", "wav": "../e.wav", "text": "Emilia, here.", "language": "en"}),
        },
    )
    places = ["librispeech:", "kaldi:", "lhotse:/cuts.jsonl", "nemo:/m.json", "commonvoice:/validated.tsv", "hf:/hf"]
    inputs = [place.replace(":", f":{tmp_path}", 1) for place in [*places, "emilia:/emilia"]]
    summary = build(toy_config(), inputs, str(tmp_path / "out"), make_stages=toy_stages)
    assert (summary.recordings, summary.failed_recordings) == (7, 0)
    said = {row["path"].removeprefix(f"{tmp_path}/"): row["transcript"] for row in rows(tmp_path / "out", "shards")}
    texts = ["LIBRI SPEECH", "kaldi", "Lhotse.", "nemo", "Common Voice?", "Hugging Face!", "Emilia, here."]
    assert {name.split("/../")[-1]: text for name, text in said.items()} == dict(zip(names, texts, strict=True))


def test_a_data_set_that_has_only_paths_names_files(tmp_path):
    (tmp_path / "data").mkdir()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for file, content in (("one", None), ("two", b"x")):
        audio = pa.array([{"bytes": content, "path": "wav/a.wav"}, {"bytes": content, "path": "/far/b.wav"}], kind)
        pq.write_table(
            pa.table({"audio": audio, "text": [f"{file} a", f"{file} b"]}), tmp_path / f"data/{file}.parquet"
        )
    found = {said[0]: path for (path, *_), said in sources(f"hf:{tmp_path}", tmp_path).items()}
    assert (found["one a"], found["one b"]) == ("data/wav/a.wav", "/far/b.wav")
    assert found["two a"].startswith("parquet://audio/0/0::")


def test_a_prefix_alone_is_no_input():
    for name in CORPORA:
        with pytest.raises(ConfigError, match="an input has no name"):
            list_inputs([f"{name}:"])


def test_other_names_with_a_colon_are_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk:1.wav").write_bytes(b"x")
    assert [item.source.path for item in list_inputs(["talk:1.wav"])] == [str(tmp_path / "talk:1.wav")]


def test_ids_are_those_of_the_folder(tmp_path):
    written(tmp_path, {"1-2.trans.txt": "1-2-3 A\n", "1-2-3.flac": "x"})
    (named,) = list_inputs([f"librispeech:{tmp_path}"])
    (found,) = list_inputs([str(tmp_path)])
    assert named.source.id == found.source.id
