"""An outage of the storage is waited for, or ends the build; nothing is committed as failed for it."""

import pytest

from curation.core import faults, patient_file
from curation.core.errors import StorageError
from curation.core.storage import Storage
from curation.pipeline.guard import lock
from tests.support.builds import rows, table, toy_build, toy_config, write_recordings
from tests.support.faults.outages import OutageFileSystem

NAMES = ["alpha", "beta", "gamma"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(faults, "DELAYS", (0.0, 0.0))
    monkeypatch.setattr(patient_file, "DELAYS", (0.0,))
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.0)
    yield
    OutageFileSystem.refuse(0)
    OutageFileSystem.store.clear()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("in"), NAMES)


@pytest.fixture(scope="module")
def expected(recordings, tmp_path_factory):
    """A build of them without an outage."""
    out = tmp_path_factory.mktemp("expected") / "out"
    toy_build(recordings, out)
    return out


@pytest.fixture
def remote(recordings):
    for path in recordings.iterdir():
        OutageFileSystem().pipe_file(f"outage:///in/{path.name}", path.read_bytes())
    return "outage:///in"


def same(out, other):
    return all(table(out, name).equals(table(other, name)) for name in ("ledger", "shards"))


def at(step, act):
    def on_progress(progress):
        if progress.step == step and progress.done == 0:
            act()

    return on_progress


def test_a_write_that_is_refused_is_tried_again(recordings, expected):
    refuse = at("label", lambda: OutageFileSystem.refuse(2, only="staging"))
    toy_build(recordings, "outage:///out", on_progress=refuse)
    assert OutageFileSystem.refused == 2
    assert same("outage:///out", expected)


@pytest.mark.parametrize(
    "step", ["label", "ledger", *(pytest.param(step, marks=pytest.mark.slow) for step in ("judge", "shards"))]
)
def test_an_output_that_stays_away_ends_the_build_which_then_resumes(recordings, expected, step):
    folder = {"label": "staging", "judge": "judged"}.get(step, step)
    refuse = at(step, lambda: OutageFileSystem.refuse(-1, only=f"out/{folder}"))
    with pytest.raises(StorageError, match="outage:///out cannot be read or written"):
        toy_build(recordings, "outage:///out", on_progress=refuse)
    OutageFileSystem.refuse(0)
    toy_build(recordings, "outage:///out", force_unlock=True)
    assert same("outage:///out", expected)
    assert all(row["status"] != "failed" for row in rows("outage:///out", "ledger"))


def test_an_input_that_stays_away_commits_nothing(remote, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(StorageError, match=r"outage:///in/.* cannot be read"):
        toy_build(remote, out, on_progress=at("label", lambda: OutageFileSystem.refuse(-1)))
    assert Storage(str(out)).names("staging") == []
    OutageFileSystem.refuse(0)
    assert toy_build(remote, out).failed_recordings == 0
    toy_build(remote, tmp_path / "expected")
    assert same(out, tmp_path / "expected")


def test_a_moment_without_inputs_changes_nothing(remote, tmp_path):
    toy_build(remote, tmp_path / "expected")
    refuse = at("label", lambda: OutageFileSystem.refuse(1, only="beta"))
    assert toy_build(remote, tmp_path / "out", on_progress=refuse).failed_recordings == 0
    assert OutageFileSystem.refused == 1
    assert same(tmp_path / "out", tmp_path / "expected")


def test_a_folder_that_is_away_is_no_failure_but_a_file_is(tmp_path):
    folder = write_recordings(tmp_path / "in", NAMES)
    config, out = toy_config(unit_files=1), tmp_path / "out"
    with pytest.raises(StorageError, match="the folder from which it was listed is away"):
        toy_build(folder, out, config, on_progress=at("label", lambda: folder.rename(tmp_path / "away")))
    assert Storage(str(out)).names("staging") == []
    (tmp_path / "away").rename(folder)
    summary = toy_build(folder, out, config, on_progress=at("label", (folder / "beta.wav").unlink))
    assert (summary.recordings, summary.failed_recordings) == (3, 1)
