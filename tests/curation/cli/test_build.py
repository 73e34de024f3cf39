"""`curation build`, `status`, `summary` and `schema`, with real models or with the toy stages."""

import json
import shutil
import threading

import numpy as np
import pytest
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.manifests.shards import first_name
from curation.pipeline.guard.lock import held
from tests.support.builds import rows, toy_build, write_recordings
from tests.support.commands import curation, message
from tests.support.real_speech import librivox

ONE = "transcribe.systems=[{name: moonshine-tiny, kind: moonshine, model: moonshine-tiny.en}]"
LEFT_OUT = ("denoise", "quality", "boundary", "punctuate", "tokenize")
IN_PROCESS = [
    part
    for setting in (
        "engine.runtime=in-process",
        ONE,
        "transcribe.language_system=''",
        *(f"{name}=null" for name in LEFT_OUT),
    )
    for part in ("--set", setting)
]
"""Settings of a build with as few models as it can have."""


def republish(corpus, out, *options, code=0):
    """Publish again, with the settings of the build and these, and without inputs."""
    return curation("build", "-o", out, "-c", corpus.settings, *options, code=code)


def lines(out):
    """Seconds by verdict and reason."""
    summary = json.loads(curation("summary", out, "--json").stdout)
    return {(line["status"], line["reason"]): line["seconds"] for line in summary["lines"]}


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_build_ends_with_0_and_prints_its_summary_as_json_alone(corpus):
    summary = json.loads(corpus.stdout)
    written = json.loads((corpus.out / "summary.json").read_text())
    assert {**summary, "sealed": written["sealed"]} == written
    assert (summary["recordings"], summary["failed_recordings"], summary["utterances"]) == (2, 0, 3)
    assert summary["speakers"] == 2  # of two recordings: the two spans of one of them are one speaker
    assert summary["seconds"] == pytest.approx(sum(map(len, librivox()[:3])) / SAMPLE_RATE + 1, abs=1e-3)
    assert "writing shards" in corpus.stderr


def test_publishing_again_without_inputs_changes_nothing_but_the_table_on_screen(corpus, tmp_path):
    out = corpus.copied(tmp_path)
    told = republish(corpus, out).stdout
    assert files(out / "staging") == files(corpus.out / "staging")
    for folder in ("shards", "ledger"):  # a new edition, of the same content
        new, old = (files(build / folder) for build in (out, corpus.out))
        assert {first_name(name): content for name, content in new.items() if name != "_index.json"} == {
            name: content for name, content in old.items() if name != "_index.json"
        }
    assert "2 recordings" in told
    assert "3 utterances of 2 speakers in 1 shard" in told
    assert str(out / "ledger") in told
    assert told == curation("summary", out).stdout


def test_without_inputs_there_must_be_a_build(tmp_path):
    assert "holds no build yet: give inputs" in message(curation("build", "-o", tmp_path / "out", code=2))


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("consensus.min_words=9", "consensus.min_words"),
        ("transcribe.min_independent=3", "transcribe.min_independent"),
    ],
)
def test_a_stricter_threshold_rejects_by_its_name(corpus, tmp_path, setting, reason):
    out = corpus.copied(tmp_path)
    republish(corpus, out, "--set", setting)
    before, after = lines(corpus.out), lines(out)
    assert ("rejected", reason) not in before
    assert after["rejected", reason] > 0
    assert sum(after.values()) == pytest.approx(sum(before.values()))
    words = {row["id"]: len(row["text"].split()) for row in rows(corpus.out, "shards")}
    left = {row["id"] for row in rows(out, "shards")} if after.get(("kept", "")) else set()
    assert left == ({name for name, count in words.items() if count >= 9} if "words" in reason else set())


def test_spans_share_a_speaker_below_the_join_threshold_only(corpus, tmp_path):
    out = corpus.copied(tmp_path)
    republish(corpus, out, "--set", "publish.speaker_join_threshold=0")
    assert json.loads(curation("summary", out, "--json").stdout)["speakers"] == 3
    mine = [row for row in rows(out, "shards") if row["recording_id"].startswith("two")]
    assert len({row["speaker_label"] for row in mine}) == 2


def test_sections_that_are_null_are_left_out(corpus, tmp_path):
    out = tmp_path / "out"
    without = [part for name in ("boundary", "punctuate", "tokenize") for part in ("--set", f"{name}=null")]
    manifest = tmp_path / "one.jsonl"
    manifest.write_text(json.dumps({"path": str(corpus.manifest.parent / "one.wav"), "language": "en"}))
    curation("build", manifest, "-o", out, "-c", corpus.settings, *without)
    for build, expected in ((out, set()), (corpus.out, {"boundary.cut", "boundary.start", "boundary.end"})):
        for row in rows(build, "staging"):
            for segment in row["segments"]:
                assert {name for name, _ in segment["scores"] if name.startswith("boundary")} == expected
    timed = json.loads(curation("summary", out, "--json").stdout)["timing"]["label"]["stages"]
    assert set(timed) == {"decode", "loudness", "diarize", "quality", "transcribe", "consensus"}
    assert all(row["glm"] is None and row["semantic"] is None for row in rows(out, "shards"))
    assert all(row["glm"] is not None for row in rows(corpus.out, "shards"))


@pytest.fixture(scope="module")
def half_failed(tmp_path_factory):
    """A build of one silent recording and one that is none; its exit code was 3."""
    folder = tmp_path_factory.mktemp("half")
    soundfile.write(folder / "good.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    (folder / "bad.wav").write_bytes(b"nothing")
    built = curation("build", folder / "*.wav", "-o", folder / "out", *IN_PROCESS, "--json", code=3)
    return folder, built


def test_too_many_failures_exit_with_3_and_name_the_setting(half_failed):
    folder, built = half_failed
    assert json.loads(built.stdout)["failed_fraction"] == 0.5
    assert "1 of 2 recordings failed" in message(built)
    assert "engine.max_failed_fraction = 0.05" in message(built)
    assert "failed" in curation("summary", folder / "out").stdout


@pytest.mark.parametrize(("fraction", "code"), [(0.5, 0), (0.49, 3)])
def test_the_failed_fraction_that_is_allowed_is_a_setting(half_failed, fraction, code):
    folder, _ = half_failed
    curation("build", "-o", folder / "out", *IN_PROCESS, "-s", f"engine.max_failed_fraction={fraction}", code=code)


def test_failed_recordings_are_processed_again_on_request_only(half_failed):
    folder, _ = half_failed
    (folder / "bad.wav").write_bytes((folder / "good.wav").read_bytes())
    curation("build", "-o", folder / "out", *IN_PROCESS, code=3)
    mended = curation("build", "-o", folder / "out", *IN_PROCESS, "--retry-failed", "--json")
    assert json.loads(mended.stdout)["failed_recordings"] == 0


@pytest.fixture
def labelled(half_failed, tmp_path):
    """Arguments of a build that only has to publish, and its folder."""
    out = shutil.copytree(half_failed[0] / "out", tmp_path / "out")
    return ["build", "-o", out, *IN_PROCESS, "-s", "engine.max_failed_fraction=1"], Storage(str(out))


def test_a_folder_in_use_is_refused(labelled):
    arguments, out = labelled
    with held(out, "other"):
        assert "another build is using" in message(curation(*arguments, code=1))
        assert "another build is using" in message(curation(*arguments, "--wait", 0.1, code=1))


def test_waiting_lets_the_other_build_finish(labelled):
    arguments, out = labelled
    taken, released = threading.Event(), threading.Event()

    def other():
        with held(out, "other"):
            taken.set()
            released.wait(0.3)
            released.set()

    thread = threading.Thread(target=other)
    thread.start()
    taken.wait()
    curation(*arguments, "--wait", 60)
    assert released.is_set()
    thread.join()


def test_a_lock_is_taken_by_force(labelled):
    arguments, out = labelled
    with held(out, "other"):
        curation(*arguments, "--force-unlock")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["build"], "Missing option '--output'"),
        (["build", "nowhere", "-o", "OUT"], "nowhere"),
        (["build", "IN", "-o", "OUT", "--set", "x=1"], "x: unknown key"),
        (["build", "IN", "-o", "OUT", "--set", "consensus.max_pwr=1"], "did you mean 'max_pwer'?"),
        (["build", "IN", "-o", "OUT", "--set", "consensus"], "expected key=value"),
        (["build", "IN", "-o", "OUT", "--preset", "mine"], "choose one of offline, paper"),
        (["build", "IN", "-o", "OUT", "--config", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        (["build", "IN", "-o", "OUT", "--wait", "-1"], "'--wait'"),
        (["build", "IN", "-o", "FILE"], "cannot be an output folder"),
        (["build", "IN", "-o", "FILE/out"], "cannot be an output folder"),
        (["build", "nope://x", "-o", "OUT"], "nope://x: Protocol not known"),
        (["build", "IN", "-o", ""], "the output has no name"),
        (["build", "", "-o", "OUT"], "an input has no name"),
        (["build", "webdav://host/x", "-o", "OUT"], "Install webdav4"),
        (["build", "IN", "-o", "OUT", "--config", "TWICE"], "'decode' stands twice"),
        (["build", "IN", "-o", "OUT", "--set", "diarize.min_seconds=30"], "above max_seconds"),
        (["build", "IN", "-o", "nope://x"], "nope://x: Protocol not known"),
        (["summary", "OUT"], "holds no finished build"),
        (["summary", "FILE"], "holds no finished build"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_wrong_usage_and_configuration_exit_with_2_and_the_reason(arguments, reason, tmp_path):
    write_recordings(tmp_path / "IN", ["a"], seconds=0.1)
    (tmp_path / "FILE").touch()
    (tmp_path / "TWICE").write_text("decode: {min_peak: 0.1}\ndecode: {min_peak: 0.2}")
    places = {name: tmp_path / name for name in ("IN", "OUT", "FILE", "FILE/out", "TWICE")}
    assert reason in message(curation(*(places.get(part, part) for part in arguments), code=2))
    assert not (tmp_path / "OUT/staging").exists()


def status(out):
    return json.loads(curation("status", out, "--json").stdout)


class StoppedError(Exception):
    """Ends a build from inside."""


def test_status_before_a_build_while_it_runs_after_a_stop_and_at_the_end(tmp_path):
    recordings, out = write_recordings(tmp_path / "in", ["a", "b", "c", "d"]), tmp_path / "out"
    assert (status(out)["units"], status(out)["phase"], status(out)["published"]) == (0, "", False)
    assert "not started" in curation("status", out).stdout
    assert status(next(recordings.iterdir()))["units"] == 0  # a file is no build either
    running = []

    def stop_after_a_batch(progress):
        running.append(status(out))
        if running[-1]["batches_done"]:
            raise StoppedError

    with pytest.raises(StoppedError):
        toy_build(recordings, out, on_progress=stop_after_a_batch)
    assert running[0]["phase"] == running[-1]["phase"] == "label"
    assert (running[0]["units"], running[0]["units_done"]) == (2, 0)
    stopped = status(out)
    assert stopped["batches_done"] > 0
    assert stopped["units_done"] < stopped["units"]
    assert (stopped["phase"], stopped["published"]) == ("label", False)
    assert "latest run: label" in curation("status", out).stdout
    toy_build(recordings, out)
    finished = status(out)
    assert (finished["units_done"], finished["phase"], finished["published"]) == (2, "done", True)
    assert "2 of 2 units labelled" in curation("status", out).stdout


def test_schema_names_every_column():
    columns = json.loads(curation("schema", "--json").stdout)
    assert {"glm", "semantic", "global", "text"} <= {row["column"] for row in columns if row["table"] == "shards"}
    assert {"status", "reason", "seconds"} <= {row["column"] for row in columns if row["table"] == "ledger"}
    assert all(row["meaning"] for row in columns)
    table = curation("schema").stdout
    assert all(row["column"] in table for row in columns)


def test_figures_that_cannot_be_served_end_the_command_before_any_work(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"nothing")
    refused = curation("build", tmp_path / "a.wav", "-o", tmp_path / "out", "--metrics", "9400:", *IN_PROCESS, code=2)
    assert "--metrics 9400:: figures cannot be served there" in message(refused)
    assert not (tmp_path / "out").exists()
