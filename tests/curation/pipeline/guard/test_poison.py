"""Recordings that kill their worker end as one failed row each; everything else completes."""

import pytest

from curation.pipeline.run import build
from tests.support.builds import rows, table, toy_build, toy_config, write_recordings
from tests.support.faults.brittle import CRASHES, HANGS, OVERRIDES, RAISES, install_brittle
from tests.support.scripted import noise, scripted_stages, utterance, write_corpus
from tests.support.story import story_config

NAMES = [f"good{number}" for number in range(6)]
POISON = {
    "segfault": "worker process died",
    "hang": "timeout_seconds",
    "memory": "max_worker_gib",
    "raise": "RuntimeError: asked to",
}
"""Recordings, and what their rows say. Those that a limit ends are waited for, twice."""
QUICK = ["segfault", "raise"]


@pytest.mark.parametrize("poison", [QUICK, pytest.param(list(POISON), marks=pytest.mark.slow)])
def test_poison_fails_alone_and_can_be_tried_again(cluster, tmp_path, poison):
    folder = write_recordings(tmp_path / "in", [*NAMES, *poison])
    # A good recording takes milliseconds, so that a busy machine does not make it hang.
    seconds = 15 if "hang" in poison else 120
    config = toy_config("ray", address=cluster.address, timeout_seconds=seconds, max_worker_gib=0.7, unit_files=4)
    summary = toy_build(folder, tmp_path / "out", config)
    failed = {
        row["recording_id"].split("-")[0]: row for row in rows(tmp_path / "out", "ledger") if row["status"] == "failed"
    }
    assert sorted(failed) == sorted(poison)
    assert all(POISON[name] in row["detail"] for name, row in failed.items())
    assert summary.failed_recordings == len(poison)

    clean = write_recordings(tmp_path / "clean", NAMES)
    toy_build(clean, tmp_path / "expected")
    good = [row for row in rows(tmp_path / "out", "shards") if row["path"].rsplit("/", 1)[1].startswith("good")]
    expected = rows(tmp_path / "expected", "shards")
    assert [row["id"] for row in good] == [row["id"] for row in expected]
    assert [row["text"] for row in good] == [row["text"] for row in expected]

    from tests.support.toy import slow_toy_stages  # these do as they are told no more

    here = toy_config(unit_files=4)
    cured = toy_build(folder, tmp_path / "out", here, retry_failed=True, make_stages=slow_toy_stages)
    assert cured.failed_recordings == 0
    assert table(tmp_path / "out", "shards").num_rows > len(good)


def test_segments_that_do_not_add_up_cost_one_row(tmp_path):
    folder = write_recordings(tmp_path / "in", [*NAMES, "misplace"])
    summary = toy_build(folder, tmp_path / "out")
    assert summary.failed_recordings == 1
    (row,) = [row for row in rows(tmp_path / "out", "ledger") if row["status"] == "failed"]
    assert (row["reason"], row["recording_id"].split("-")[0]) == ("conservation", "misplace")


def test_a_stage_that_raises_costs_one_row_in_process(tmp_path):
    folder = write_recordings(tmp_path / "in", [*NAMES, "raise"])
    summary = toy_build(folder, tmp_path / "out")
    assert summary.failed_recordings == 1


SPEECH = {
    "good": [utterance(0.5, 1.0), utterance(1.0, 2.0)],
    "crash": [utterance(0.5, 1.0), utterance(1.0, 1.0 + CRASHES)],
    "after": [utterance(0.25, 1.25)],
    "hang": [utterance(0.5, 0.5 + HANGS), utterance(1.0, 2.0)],
    "raise": [utterance(0.5, 0.5 + RAISES), utterance(1.0, 2.0)],
    "last": [utterance(0.0, 1.0)],
}
"""Recordings and their utterances; some crash the tokenizer of `tests.support.faults.brittle`, hang or raise."""


def tokenized(folder, names, runtime, **engine):
    """A build of some of them into `folder`/out."""
    made = {
        f"{name}.wav": (noise(2.5, seed=seed), 16_000, {"id": name, "segments": SPEECH[name]})
        for seed, name in enumerate(names)
    }
    settings = {"unit_files": 6, "batch_seconds": 60, "runtime": runtime, **engine}
    config = story_config(*OVERRIDES, *(f"engine.{name}={value}" for name, value in settings.items()))
    return build(config, [str(write_corpus(folder / "in", made))], str(folder / "out"), make_stages=scripted_stages)


@pytest.mark.slow
def test_recordings_that_kill_the_tokenizer_fail_alone(tmp_path, monkeypatch):
    """One staging file, so that innocents are in company with each."""
    install_brittle(tmp_path / "site", monkeypatch)
    summary = tokenized(tmp_path, SPEECH, "ray", workers=1, timeout_seconds=5)
    tokenized(tmp_path / "expected", ["good", "after", "last"], "in-process")
    failed = {}
    for row in rows(tmp_path / "out", "ledger"):
        if row["status"] == "failed":
            assert row["reason"] == "tokenize"
            failed.setdefault(row["recording_id"], []).append(row["detail"])
    assert {name: len(details) for name, details in failed.items()} == {"crash": 2, "hang": 2, "raise": 1}
    assert "worker process died" in failed["crash"][0]
    assert failed["crash"][0].endswith("in tokenizing")
    assert "did not finish within engine.timeout_seconds = 5" in failed["hang"][0]
    assert failed["raise"] == ["RuntimeError: asked to"]
    assert summary.failed_recordings == 3
    innocent = ["good", "after", "last"]
    kept = [row for row in rows(tmp_path / "out", "shards") if row["recording_id"] in innocent]
    assert [row["glm"] for row in kept] == [row["glm"] for row in rows(tmp_path / "expected" / "out", "shards")]
    assert len(kept) == 4
    assert not (tmp_path / "out/attempts").exists()
