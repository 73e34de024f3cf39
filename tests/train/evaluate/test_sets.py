"""Test sets: the public layouts made small on disk, and manifests."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.audio.flac import encode_flac
from curation.core.errors import ConfigError
from curation.train.evaluate.sets import Item, read_set, with_references
from curation.train.infer.files import read_recording
from tests.support.synthetic import utterance, write_shards


def touch(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_librispeech(tmp_path):
    chapter = tmp_path / "test-clean" / "61" / "70968"
    touch(chapter / "61-70968.trans.txt", b"61-70968-0001 GIVE NOT SO\n61-70968-0000 HE BEGAN\n")
    paths = [touch(chapter / f"61-70968-000{number}.flac") for number in (0, 1)]
    items = read_set(str(tmp_path / "test-clean"))
    assert [(item.id, item.text, item.path) for item in items] == [
        ("61-70968-0000", "HE BEGAN", paths[0]),
        ("61-70968-0001", "GIVE NOT SO", paths[1]),
    ]
    assert {(item.language, item.speaker) for item in items} == {("en", "61")}


def test_librispeech_without_a_recording_says_which(tmp_path):
    touch(tmp_path / "61" / "70968" / "61-70968.trans.txt", b"61-70968-0000 HE BEGAN\n")
    with pytest.raises(ConfigError, match="names 61-70968-0000"):
        read_set(str(tmp_path))


@pytest.mark.parametrize("below", ["", "data_aishell"])
def test_aishell(tmp_path, below):
    root = tmp_path / below
    text = "BAC009S0764W0121 甚至 出现 交易\nBAC009S0002W0122 而 对 楼市\n".encode()
    touch(root / "transcript" / "aishell_transcript_v0.8.txt", text)
    path = touch(root / "wav" / "test" / "S0764" / "BAC009S0764W0121.wav")
    touch(root / "wav" / "test" / "S0764" / "BAC009S0764W0999.wav")  # no text for it
    touch(root / "wav" / "train" / "S0002" / "BAC009S0002W0122.wav")
    assert read_set(str(tmp_path)) == [Item("BAC009S0764W0121", "甚至 出现 交易", "zh", path, "S0764")]
    assert [item.id for item in read_set(str(tmp_path), subset="train")] == ["BAC009S0002W0122"]
    with pytest.raises(ConfigError, match="--subset"):
        read_set(str(tmp_path), subset="dev")


def test_a_split_of_a_corpus(tmp_path):
    sound = encode_flac(0.1 * np.random.default_rng(0).standard_normal(1600).astype(np.float32))
    rows = [{**utterance(number), "split": ["train", "dev"][number % 2], "audio": sound} for number in range(20)]
    corpus = write_shards(tmp_path / "corpus", rows, split={"dev": 0.5, "test": 0.0, "by": [], "salt": 0})
    items = read_set(corpus, subset="dev")
    assert [(item.id, item.text, item.speaker) for item in items] == [
        (row["id"], row["text"], row["speaker"]) for row in rows if row["split"] == "dev"
    ]
    assert len(read_recording(items[7].path, loudness=False)) == 1600
    with pytest.raises(ConfigError, match="no items to evaluate"):
        read_set(corpus)  # the test split is empty
    with pytest.raises(ConfigError, match="--subset devel: the corpus has train, dev, test"):
        read_set(corpus, subset="devel")


def test_a_corpus_that_cannot_be_evaluated(tmp_path):
    rows = [{**utterance(number), "split": "dev"} for number in range(4)]
    silent = write_shards(tmp_path / "silent", rows, split={"dev": 1.0, "test": 0.0, "by": [], "salt": 0})
    with pytest.raises(ConfigError, match=r"its shards hold no audio: publish it with `--set publish.audio=true`"):
        read_set(silent, subset="dev")
    with pytest.raises(ConfigError, match="has no splits: `curation split` makes them"):
        read_set(write_shards(tmp_path / "whole", rows))


def test_seed_tts(tmp_path):
    folder = tmp_path / "seedtts_testset" / "en"
    lines = "b|We asked|prompt-wavs/b.wav|Get the trust fund\n\na|The\u2028words|prompt-wavs/a.wav|This is|wavs/a.wav\n"
    touch(folder / "meta.lst", lines.encode())
    touch(folder / "hardcase.lst", lines.encode())
    items = read_set(str(folder))
    assert [(item.id, item.text, item.language) for item in items] == [
        ("a", "This is", "en"),
        ("b", "Get the trust fund", "en"),
    ]
    assert [item.path for item in items] == [str(folder / "wavs" / "a.wav"), ""]
    assert [item.reference for item in items] == [str(folder / "prompt-wavs" / f"{name}.wav") for name in "ab"]
    assert [item.reference_text for item in items] == ["The\u2028words", "We asked"]
    assert read_set(str(folder / "hardcase.lst")) == items


def test_seed_tts_with_a_broken_line_says_where(tmp_path):
    touch(tmp_path / "zh" / "meta.lst", b"a|b|c.wav|d\nnonsense\n")
    with pytest.raises(ConfigError, match="line 2"):
        read_set(str(tmp_path / "zh"))


@pytest.mark.parametrize("name", ["../../x", "/root/x", "..", ".hidden", "a/b", ""])
def test_no_id_of_a_list_leads_out_of_the_folder_of_speech(tmp_path, name):
    touch(tmp_path / "zh" / "meta.lst", f"a|b|c.wav|d\n{name}|b|c.wav|d\n".encode())
    with pytest.raises(ConfigError, match=f"id {re.escape(repr(name))} may hold only"):
        read_set(str(tmp_path / "zh"))


ROWS = [
    {
        "id": "u1",
        "path": "one.wav",
        "transcript": "one",
        "language": "en",
        "speaker": "A",
        "reference": "ref.wav",
        "reference_text": "the words",
    },
    {"id": "u2", "path": "two.wav", "transcript": "two", "language": "en", "speaker": "A", "noise": "car"},
]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_manifest(tmp_path, suffix):
    file = tmp_path / f"set.{suffix}"
    columns = ["id", "path", "transcript", "language", "speaker", "reference", "reference_text", "noise"]
    table = [{name: row.get(name, "") for name in columns} for row in ROWS]
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(table), file)
    elif suffix == "csv":
        file.write_text("\n".join(",".join(values) for values in [columns, *(row.values() for row in table)]))
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    one, two = read_set(str(file))
    assert (one.text, one.path, one.reference) == ("one", str(tmp_path / "one.wav"), str(tmp_path / "ref.wav"))
    assert (one.reference_text, two.reference_text, one.extra.get("reference_text")) == ("the words", "", None)
    assert (two.speaker, two.reference, two.extra["noise"]) == ("A", "", "car")


def test_a_manifest_must_say_what_is_said_and_in_which_language(tmp_path):
    file = tmp_path / "set.jsonl"
    file.write_text(json.dumps({"path": "one.wav", "language": "en"}))
    with pytest.raises(ConfigError, match="no transcript"):
        read_set(str(file))
    file.write_text(json.dumps({"path": "one.wav", "transcript": "one"}))
    with pytest.raises(ConfigError, match="--language"):
        read_set(str(file))
    assert read_set(str(file), language="de")[0].language == "de"


def test_what_a_reference_says_needs_the_reference(tmp_path):
    file = tmp_path / "set.jsonl"
    row = {"id": "u1", "path": "one.wav", "transcript": "one", "language": "en", "reference_text": "what?"}
    file.write_text(json.dumps(row))
    with pytest.raises(ConfigError, match="u1 has a `reference_text` without a `reference`: name the recording"):
        read_set(str(file))


def test_a_folder_that_is_no_test_set(tmp_path):
    with pytest.raises(ConfigError, match="LibriSpeech"):
        read_set(str(tmp_path))


def items(*speakers):
    return [Item(f"u{at}", f"text {at}", "en", f"{at}.wav", speaker) for at, speaker in enumerate(speakers)]


def test_references_of_the_same_speaker_are_other_utterances_where_there_are_some():
    chosen = with_references(items("A", "B", "A", "A"), same_speaker=True)
    assert [item.reference for item in chosen] == ["2.wav", "1.wav", "3.wav", "0.wav"]
    assert [item.reference_text for item in chosen] == ["text 2", "text 1", "text 3", "text 0"]


def test_references_of_another_speaker():
    chosen = with_references(items("A", "A", "B"), same_speaker=False)
    assert [item.reference for item in chosen] == ["2.wav", "2.wav", "0.wav"]
    with pytest.raises(ConfigError, match="reference"):
        with_references(items("A", "A"), same_speaker=False)


def test_given_references_stay():
    given = [Item("u", "x", "en", reference="r.wav", reference_text="words")]
    assert with_references(given, same_speaker=False) == given


def test_utterances_without_speakers_speak_with_their_own_voice():
    assert [item.reference for item in with_references(items("", ""), same_speaker=True)] == ["0.wav", "1.wav"]
