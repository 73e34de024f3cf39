"""Builds from start to end on both engines, with stages that need no models."""

import itertools
import json
import shutil
import threading
import time

import pyarrow.parquet as pq
import pytest
import soundfile
import yaml

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.manifests.plan import read_plan
from curation.manifests.runs import read_runs
from curation.manifests.staging import committed, read
from curation.pipeline.config import validate
from curation.pipeline.guard.lock import FILE as LOCK_FILE
from curation.pipeline.run import build, build_state, unfinished_units
from tests.support.builds import (
    count,
    in_order,
    rows,
    seconds_by_recording,
    table,
    toy_build,
    toy_config,
    write_recordings,
)
from tests.support.story import publish_again, story_config
from tests.support.toy import toy_stages

NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = write_recordings(tmp_path_factory.mktemp("recordings"), NAMES)
    write_recordings(folder, ["long"], seconds=20)
    (folder / "broken.wav").write_bytes(b"RIFF....WAVE this is no audio")
    (folder / "empty.mp3").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def reference(recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("reference") / "out"
    toy_build(recordings, out)
    return out


def test_every_second_is_accounted_for(recordings, reference):
    accounted = seconds_by_recording(reference)
    for path in recordings.glob("*.wav"):
        if path.stem != "broken":
            recording = next(key for key in accounted if key.startswith(path.stem))
            assert accounted[recording] == pytest.approx(soundfile.info(path).duration, abs=1e-3)
    assert len(accounted) == len(NAMES) + 3


def test_ledger_tiles_each_recording(reference):
    end = {}
    for row in rows(reference, "ledger"):
        assert row["start_sample"] == end.get(row["recording_id"], 0)
        end[row["recording_id"]] = row["end_sample"]


def test_files_that_cannot_be_decoded_are_failed_rows(reference):
    failed = [row for row in rows(reference, "ledger") if row["status"] == "failed"]
    assert sorted(row["recording_id"].split("-")[0] for row in failed) == ["broken", "empty"]
    assert all(row["reason"] == "decode" and row["detail"] for row in failed)


def test_kept_rows_of_the_ledger_are_the_shards(reference):
    kept = [row["utterance_id"] for row in rows(reference, "ledger") if row["status"] == "kept"]
    assert [row["id"] for row in rows(reference, "shards")] == kept
    assert len(kept) > 20


def test_rejections_name_setting_value_and_threshold(reference):
    rejected = [row for row in rows(reference, "ledger") if row["reason"] == "consensus.max_pwer"]
    assert rejected
    assert all(row["value"] >= row["threshold"] == 0.15 for row in rejected)


def test_a_voice_has_one_label_in_all_spans_of_its_recording(reference):
    mine = [row for row in rows(reference, "shards") if row["recording_id"].startswith("long")]
    pairs = {(row["speaker_label"], tuple(row["speaker_embedding"])) for row in mine}
    assert len(pairs) == len({label for label, _ in pairs}) == len({voice for _, voice in pairs}) == 2


def test_index_describes_the_shards(reference):
    index = json.loads((reference / "shards/_index.json").read_text())
    assert index["rows"] == count(reference, "kept")
    assert {part["file"] for part in index["shards"]} == {
        path.name for path in (reference / "shards").glob("*.parquet")
    }


def test_word_times_are_relative_to_the_utterance(reference):
    for row in rows(reference, "shards"):
        assert all(0 <= word["start"] < word["end"] <= row["seconds"] + 1e-5 for word in row["words"])


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ray_gives_the_same_rows(recordings, reference, tmp_path, workers):
    toy_build(recordings, tmp_path / "out", toy_config("ray", workers=workers, worker_cpus=1))
    for folder in ("ledger", "shards", "staging"):
        assert table(tmp_path / "out", folder).equals(table(reference, folder))


def test_a_new_threshold_only_publishes_and_is_told(recordings, reference, tmp_path, caplog):
    out = tmp_path / "out"
    shutil.copytree(reference, out)
    staged = {path: path.stat().st_mtime_ns for path in (out / "staging").iterdir()}
    stricter = toy_config().model_copy(
        update={"consensus": toy_config().consensus.model_copy(update={"max_pwer": 0.05})}
    )
    toy_build(recordings, out, stricter)
    assert "consensus.max_pwer: 0.15 -> 0.05" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in (out / "staging").iterdir()} == staged
    assert 0 < count(out, "kept") < count(reference, "kept")
    assert seconds_by_recording(out) == seconds_by_recording(reference)


def test_other_label_settings_are_refused(recordings, reference):
    config = toy_config()
    other = config.model_copy(update={"loudness": config.loudness.model_copy(update={"ratio": 9.0})})
    with pytest.raises(ConfigError, match=r"ratio: 9.0"):
        toy_build(recordings, reference, other)


def test_build_yaml_is_the_configuration_of_the_latest_run(story, tmp_path):
    def stored(out):
        return validate(yaml.safe_load((out / "build.yaml").read_bytes()), "build.yaml")

    assert stored(story / "out") == story_config()
    again = publish_again(story, tmp_path, "consensus.max_pwer=0.05", "publish.shard_hours=2")
    assert stored(again) == story_config("tokenize=null", "consensus.max_pwer=0.05", "publish.shard_hours=2")


def test_each_run_is_logged_with_its_passes(reference):
    (log,) = read_runs(Storage(str(reference)))
    assert set(log.pass_seconds) == {"label", "publish"}
    assert all(seconds > 0 for seconds in log.pass_seconds.values())
    assert log.started + sum(log.pass_seconds.values()) <= log.updated + 1e-3
    assert (log.cpus, log.current_pass) == (1.0, "")


def test_the_summary_says_where_the_time_went(reference):
    timing = json.loads((reference / "summary.json").read_text())["timing"]
    assert set(timing["label"]["stages"]) == {"decode", "loudness", "cut", "misbehave", "hear"}
    assert all(seconds > 0 for seconds in timing["label"]["stages"].values())
    out = Storage(str(reference))
    assert timing["runs"] == [run.to_json() for run in read_runs(out)]
    parts = [read(out, name).times.stages for name in committed(out)]
    assert len(parts) > 1
    for stage, seconds in timing["label"]["stages"].items():
        assert seconds == pytest.approx(sum(part[stage] for part in parts))


def test_new_recordings_join_an_old_build(recordings, tmp_path, caplog):
    both = tmp_path / "in"
    shutil.copytree(recordings, both)
    (both / "beta.wav").rename(tmp_path / "beta.wav")
    toy_build(both, tmp_path / "grown")
    (tmp_path / "beta.wav").rename(both / "beta.wav")
    caplog.clear()
    units = set()
    toy_build(both, tmp_path / "grown", on_progress=lambda progress: units.add((progress.step, progress.total)))
    assert ("label", 1) in units  # what is left to do, not what was done before
    assert "settings differ" not in caplog.text
    toy_build(both, tmp_path / "whole")
    for folder in ("ledger", "shards"):
        assert in_order(tmp_path / "grown", folder).equals(in_order(tmp_path / "whole", folder))


def test_failed_recordings_are_tried_again_on_request(recordings, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(recordings, folder)
    out = tmp_path / "out"
    toy_build(folder, out)
    shutil.copy(folder / "alpha.wav", folder / "broken.wav")
    unchanged = build(toy_config(), [], str(out), make_stages=toy_stages)
    assert unchanged.failed_recordings == 2
    mended = build(toy_config(), [], str(out), make_stages=toy_stages, retry_failed=True)
    assert mended.failed_recordings == 1
    assert mended.recordings == unchanged.recordings
    toy_build(folder, tmp_path / "fresh")
    for part in ("ledger", "shards"):
        assert in_order(out, part).equals(in_order(tmp_path / "fresh", part))


def test_shards_are_balanced_and_seekable(recordings, reference, tmp_path):
    config = toy_config()
    publish = config.publish.model_copy(update={"shard_hours": 10 / 3600, "row_group_rows": 4})
    out = tmp_path / "out"
    shutil.copytree(reference, out)
    toy_build(recordings, out, config.model_copy(update={"publish": publish}))
    parts = sorted((out / "shards").glob("*.parquet"))
    assert len(parts) == len(json.loads((out / "shards/_index.json").read_text())["shards"]) > 1
    seconds = [sum(pq.read_table(part)["seconds"].to_pylist()) for part in parts]
    assert max(seconds) - min(seconds) <= 1.0
    assert all(pq.read_metadata(part).row_group(0).num_rows <= 4 for part in parts)
    assert table(out, "shards").equals(table(reference, "shards"))


def test_published_audio_has_the_papers_peak(recordings, reference, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(reference, out)
    config = toy_config()
    toy_build(recordings, out, config.model_copy(update={"publish": config.publish.model_copy(update={"audio": True})}))
    from curation.audio.flac import decode_flac

    for row in rows(out, "shards"):
        wave = decode_flac(row["audio"])
        assert abs(abs(wave).max() - 0.6) < 1 / 2**15
        assert len(wave) == round(row["seconds"] * SAMPLE_RATE)


def test_a_finished_build_keeps_no_working_folders(reference):
    assert {"staging", "ledger", "shards"} <= {path.name for path in reference.iterdir()}
    assert not [path for path in reference.iterdir() if path.name in {"judged", "attempts"}]


def test_status_of_a_finished_build(reference):
    state = build_state(Storage(str(reference)))
    assert state.units_done == state.units > 1
    assert state.published
    assert state.phase == "done"
    assert 0 < state.idle_seconds < 3600
    assert state.batches_done == len(list((reference / "staging").iterdir())) > state.units


@pytest.mark.parametrize("lost", [0, 1, -1], ids=["first", "inner", "last"])
def test_units_without_all_batches_are_unfinished(reference, tmp_path, lost):
    out = tmp_path / "out"
    shutil.copytree(reference, out)
    units = [list(group) for _, group in itertools.groupby(committed(Storage(str(out))), lambda name: name.unit)]
    names = max(units, key=len)
    assert len(names) > 2
    (out / names[lost].file).unlink()
    waiting, done = unfinished_units(Storage(str(out)), read_plan(Storage(str(out))))
    assert waiting == [names[0].unit]
    assert done == {names[0].unit: {name.batch for name in names} - {names[lost].batch}}


def test_a_build_waits_for_another_one(recordings, tmp_path):
    out = Storage(str(tmp_path / "out"))
    held_by = {"run": "old", "host": "elsewhere", "machine": "another", "pid": 7, "pid_started": 0.0}
    out.write_json(LOCK_FILE, {**held_by, "updated": time.time()})
    timer = threading.Timer(0.5, out.remove, [LOCK_FILE])
    timer.start()
    toy_build(recordings / "alpha.wav", tmp_path / "out", wait_seconds=60)
    timer.join()
    assert out.exists("shards/_index.json")
