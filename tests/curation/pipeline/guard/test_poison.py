"""Recordings that kill their worker end as one failed row each; everything else completes."""

from tests.support.builds import rows, table, toy_build, toy_config, write_recordings

NAMES = [f"good{number}" for number in range(6)]
POISON = ["segfault", "hang", "memory", "raise"]


def test_poison_fails_alone_and_can_be_tried_again(tmp_path):
    folder = write_recordings(tmp_path / "in", [*NAMES, *POISON])
    # A good recording takes milliseconds, so that a busy machine does not make it hang.
    config = toy_config("ray", timeout_seconds=10, max_worker_gib=2, unit_files=4)
    summary = toy_build(folder, tmp_path / "out", config)
    failed = {
        row["recording_id"].split("-")[0]: row for row in rows(tmp_path / "out", "ledger") if row["status"] == "failed"
    }
    assert sorted(failed) == sorted(POISON)
    assert "worker process died" in failed["segfault"]["detail"]
    assert "timeout_seconds" in failed["hang"]["detail"]
    assert "max_worker_gib" in failed["memory"]["detail"]
    assert "RuntimeError: asked to" in failed["raise"]["detail"]
    assert summary.failed_recordings == len(POISON)

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
