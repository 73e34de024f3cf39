"""Builds of inputs as users have them: nothing is lost without a word, and one odd item costs itself alone."""

import json
import os
import shutil

import pytest

from curation.core.errors import ConfigError
from curation.pipeline.run import build
from tests.support.builds import rows, seconds_by_recording, toy_build, toy_config, write_recordings
from tests.support.dummies import noise, write_tracks
from tests.support.toy import slow_toy_stages, toy_stages


def again(out, *inputs, **options):
    return build(toy_config(), [str(item) for item in inputs], str(out), **{"make_stages": toy_stages, **options})


def test_what_is_left_out_stands_in_the_summary(tmp_path, capsys):
    from curation.cli.tables import print_summary

    write_recordings(tmp_path / "in", ["alpha"])
    (tmp_path / "in/._alpha.wav").write_bytes(b"x")
    (tmp_path / "in/notes.txt").write_text("x")
    summary = toy_build(tmp_path / "in", tmp_path / "out")
    assert {reason: item.count for reason, item in summary.skipped.items()} == {
        "hidden names (.x, __MACOSX, ...)": 1,
        "no audio or video, by their suffix": 1,
    }
    assert again(tmp_path / "out").skipped == summary.skipped  # without inputs
    assert json.loads((tmp_path / "out/summary.json").read_text())["skipped"]
    print_summary(summary, "out", as_json=False)
    assert "left out of the inputs: 1 hidden names" in capsys.readouterr().out


def test_folders_with_the_same_names_and_a_folder_added_later(tmp_path):
    for folder, name in (("s1", "alpha"), ("s2", "beta"), ("s3", "gamma")):
        write_recordings(tmp_path / folder, [name])
        (tmp_path / folder / f"{name}.wav").rename(tmp_path / folder / "001.wav")
    both = again(tmp_path / "both", tmp_path / "s1", tmp_path / "s2")
    assert both.recordings == 2
    grown = [again(tmp_path / "grown", *(tmp_path / name for name in names)) for names in (["s1"], ["s2"], ["s3"])]
    assert [summary.recordings for summary in grown] == [1, 2, 3]
    assert again(tmp_path / "grown", tmp_path / "s3", tmp_path / "s1", tmp_path / "s2").recordings == 3


def test_a_build_goes_on_where_its_corpus_was_moved(tmp_path):
    write_recordings(tmp_path / "old/in", ["alpha"])
    toy_build(tmp_path / "old/in", tmp_path / "out")
    (tmp_path / "new").mkdir()
    shutil.move(tmp_path / "old/in", tmp_path / "new/in")
    write_recordings(tmp_path / "new/in", ["beta"])
    assert toy_build(tmp_path / "new/in", tmp_path / "out").recordings == 2


def test_another_folder_of_the_same_name_is_another_corpus_even_where_the_first_is_gone(tmp_path, caplog):
    """Day after day recordings are processed and removed; equal sizes do not make two recordings one."""
    write_recordings(tmp_path / "day1/wavs", ["alpha"])
    toy_build(tmp_path / "day1/wavs", tmp_path / "out")
    shutil.copytree(tmp_path / "day1/wavs", tmp_path / "day2/wavs", copy_function=shutil.copy)
    os.utime(tmp_path / "day2/wavs/alpha.wav", (1, 1))
    shutil.rmtree(tmp_path / "day1")
    assert toy_build(tmp_path / "day2/wavs", tmp_path / "out").recordings == 2
    assert "its files are others, and new recordings" in caplog.text
    assert toy_build(tmp_path / "day2/wavs", tmp_path / "out").recordings == 2


def test_what_failed_is_tried_where_the_corpus_is_now(tmp_path):
    write_recordings(tmp_path / "old/in", ["raise"])
    assert toy_build(tmp_path / "old/in", tmp_path / "out").failed_recordings == 1
    (tmp_path / "new").mkdir()
    shutil.move(tmp_path / "old/in", tmp_path / "new/in")
    summary = again(tmp_path / "out", tmp_path / "new/in", retry_failed=True, make_stages=slow_toy_stages)
    assert (summary.recordings, summary.failed_recordings) == (1, 0)


def test_a_name_that_is_not_utf8_is_a_recording(tmp_path):
    write_recordings(tmp_path / "in", ["alpha"])
    os.rename(tmp_path / "in/alpha.wav", os.fsencode(tmp_path) + b"/in/caf\xe9.wav")  # noqa: PTH104 - bytes
    summary = toy_build(tmp_path / "in", tmp_path / "out")
    assert (summary.recordings, summary.failed_recordings) == (1, 0)
    assert {row["path"] for row in rows(tmp_path / "out", "shards")} == {f"{tmp_path}/in/caf\\xe9.wav"}


@pytest.fixture
def manifest(tmp_path):
    write_recordings(tmp_path / "in", ["alpha", "beta"])

    def write(**values):
        lines = [{"path": "in/alpha.wav", "speaker": "ann", **values}, {"path": "in/beta.wav", "language": "de"}]
        (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
        return tmp_path / "m.jsonl"

    return write


def test_a_corrected_manifest_counts(manifest, tmp_path, caplog):
    out = tmp_path / "out"
    toy_build(manifest(transcript="so"), out)
    before = seconds_by_recording(out)
    assert toy_build(manifest(transcript="no", speaker="bea"), out).recordings == 2
    assert "m.jsonl, row 1: speaker 'ann' -> 'bea', transcript 'so' -> 'no'" in caplog.text
    assert seconds_by_recording(out) == before
    assert {row["transcript"] for row in rows(out, "shards")} == {"no", ""}
    caplog.clear()
    files = sorted((out / "staging").iterdir())
    toy_build(manifest(transcript="no", speaker="bea"), out)
    toy_build(tmp_path / "in", out)  # its files, without what the manifest says
    assert "labelled again" not in caplog.text
    assert sorted((out / "staging").iterdir()) == files


def test_segments_of_one_file_are_recordings(tmp_path):
    """As NeMo's manifests have them."""
    write_recordings(tmp_path / "in", ["alpha"], seconds=8.0)
    lines = [{"audio_filepath": "in/alpha.wav", "offset": at, "duration": 1.5, "text": str(at)} for at in (0, 2.5)]
    (tmp_path / "m.json").write_text("\n".join(map(json.dumps, lines)))
    summary = toy_build(tmp_path / "m.json", tmp_path / "out")
    assert (summary.recordings, summary.seconds) == (2, 3.0)
    assert set(seconds_by_recording(tmp_path / "out").values()) == {1.5}
    published = rows(tmp_path / "out", "shards")
    assert {(row["source_offset"], row["transcript"]) for row in published} == {(0.0, "0"), (2.5, "2.5")}
    assert {row["source_track"] for row in published} == {None}


def test_every_audio_track_is_in_the_ledger(tmp_path):
    (tmp_path / "in").mkdir()
    path = write_tracks(tmp_path / "in/x.mkv", [0.1 * noise(3.0, 1), 0.1 * noise(3.0, 2)])
    lines = {(line.status, line.reason): line.seconds for line in toy_build(tmp_path / "in", tmp_path / "one").lines}
    assert lines["rejected", "decode.track"] == pytest.approx(3.0, abs=0.01)
    assert sum(lines.values()) == pytest.approx(6.0, abs=0.01)
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps({"path": str(path), "track": n}) for n in (0, 1)))
    both = toy_build(tmp_path / "m.jsonl", tmp_path / "both")
    assert (both.recordings, both.seconds) == (2, 6.0)
    assert {row["source_track"] for row in rows(tmp_path / "both", "shards")} == {0, 1}


def test_the_speaker_of_a_dialogue_is_not_one(manifest, tmp_path):
    """The voices of alpha take turns, and its manifest names one speaker."""
    summary = toy_build(manifest(), tmp_path / "out")
    mine = [row for row in rows(tmp_path / "out", "shards") if row["path"].endswith("alpha.wav")]
    assert {row["manifest_speaker"] for row in mine} == {"ann"}
    names = {row["speaker_label"]: row["speaker"] for row in mine}
    assert names == {label: f"{mine[0]['recording_id']}-{label}" for label in ("S0", "S1")}
    assert summary.speakers == len({row["speaker"] for row in rows(tmp_path / "out", "shards")})


def test_an_error_in_a_manifest_comes_before_any_work(manifest, tmp_path):
    with pytest.raises(ConfigError, match=r"m\.jsonl, row 1: language: 'Elbonian' is no language"):
        toy_build(manifest(language="Elbonian"), tmp_path / "out")
    assert not (tmp_path / "out/staging").exists()
