"""Retries and files that change: nothing is mixed, lost or forgotten, and nothing gets worse."""

import shutil
from collections.abc import Sequence
from typing import ClassVar

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from fsspec.implementations.memory import MemoryFileSystem

from curation.core import patient_file
from curation.manifests.records import Recording
from curation.pipeline.config import BuildConfig
from curation.pipeline.run import build
from curation.stages.base import Stage
from tests.support.builds import in_order, rows, seconds_by_recording, table, toy_build, toy_config, write_recordings
from tests.support.faults.outages import OpenFile
from tests.support.toy import Cut, Hear


class Fragile(Stage):
    """Raises on spans of this number; notes which spans it gets."""

    name = "fragile"
    broken: ClassVar[set[int]] = set()
    seen: ClassVar[list[tuple[str, int]]] = []

    def process(self, batch: Sequence[Recording]) -> None:
        for recording in batch:
            self.seen.append((recording.source.id.split("-")[0], recording.span))
            if recording.span in self.broken:
                raise RuntimeError("out of memory")  # noqa: EM101


def fragile_stages(config: BuildConfig) -> list[Stage]:
    return [Cut(), Fragile(), Hear()]


@pytest.fixture(autouse=True)
def fragile():
    Fragile.broken = {1}
    Fragile.seen.clear()
    yield Fragile
    Fragile.broken = set()


@pytest.fixture
def folder(tmp_path):
    write_recordings(tmp_path / "in", ["alpha", "beta"], seconds=3)
    return write_recordings(tmp_path / "in", ["long"], seconds=16)


def run(folder, out, **options):
    return toy_build(folder, out, make_stages=fragile_stages, **options)


def same(out, other):
    return all(in_order(out, name).equals(in_order(other, name)) for name in ("ledger", "shards"))


def test_a_retry_labels_what_failed_and_nothing_else(folder, tmp_path, fragile):
    out = tmp_path / "out"
    assert run(folder, out).failed_recordings == 1
    failed = [row for row in rows(out, "ledger") if row["status"] == "failed"]
    assert {row["recording_id"].split("-")[0] for row in failed} == {"long"}
    fragile.broken = set()
    fragile.seen.clear()
    assert run(folder, out, retry_failed=True).failed_recordings == 0
    assert fragile.seen == [("long", 1)]
    run(folder, tmp_path / "fresh")
    assert same(out, tmp_path / "fresh")


def test_a_retry_while_the_input_is_away_loses_nothing(folder, tmp_path, fragile):
    out = tmp_path / "out"
    run(folder, out)
    before = {name: table(out, name) for name in ("ledger", "shards")}
    away = folder / "long.wav"
    away.rename(tmp_path / "long.wav")
    run(folder, out, retry_failed=True)
    assert {name: table(out, name) for name in before} == before
    (tmp_path / "long.wav").rename(away)
    fragile.broken = set()
    assert run(folder, out, retry_failed=True).failed_recordings == 0


def test_an_interrupted_retry_is_planned_once(folder, tmp_path, fragile):
    out = tmp_path / "out"
    run(folder, out)

    def interrupt(progress):
        if progress.step == "label":
            raise KeyboardInterrupt

    fragile.broken = set()
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(folder, out, retry_failed=True, on_progress=interrupt)
    assert run(folder, out, retry_failed=True).failed_recordings == 0
    assert len(list((out / "plan").glob("generation-*.json"))) == 2
    run(folder, out, retry_failed=True)
    assert len(list((out / "plan").glob("generation-*.json"))) == 2


def test_a_file_that_was_replaced_is_read_as_a_whole_in_a_retry(folder, tmp_path, fragile):
    out = tmp_path / "out"
    run(folder, out)
    fragile.broken = set()
    wave, rate = soundfile.read(folder / "long.wav")
    soundfile.write(folder / "long.wav", np.concatenate([wave, wave]), rate)
    fragile.seen.clear()
    assert run(folder, out, retry_failed=True).failed_recordings == 0
    assert len([name for name, _ in fragile.seen if name == "long"]) > 3
    accounted = next(value for name, value in seconds_by_recording(out).items() if name.startswith("long"))
    assert accounted == pytest.approx(2 * len(wave) / rate)


def test_a_replaced_input_is_labelled_again_and_told(folder, tmp_path, fragile, caplog):
    fragile.broken = set()
    out = tmp_path / "out"
    run(folder, out)
    write_recordings(folder, ["alpha"], seconds=9)
    run(folder, out)
    assert "1 recording will be labelled again" in caplog.text
    assert "alpha.wav: its content" in caplog.text
    run(folder, tmp_path / "fresh")
    assert same(out, tmp_path / "fresh")


def test_a_file_that_changes_while_it_is_labelled_fails_with_the_reason(folder, tmp_path, fragile):
    fragile.broken = set()
    out = tmp_path / "out"
    config = toy_config(unit_files=1)
    run(folder, out, config=config)
    wave, rate = soundfile.read(folder / "long.wav")
    soundfile.write(folder / "long.wav", wave[: 12 * rate], rate)
    lost = max((out / "staging").glob("00000002-*"))  # as if the build had been killed before it
    lost.unlink()
    summary = build(config, [], str(out), make_stages=fragile_stages)
    (row,) = [row for row in rows(out, "ledger") if row["status"] == "failed"]
    assert (row["reason"], summary.failed_recordings, summary.recordings) == ("staging", 1, 3)
    assert "its file changed while it was labelled" in row["detail"]
    assert run(folder, out, config=config, retry_failed=True).failed_recordings == 0
    run(folder, tmp_path / "fresh", config=config)
    assert same(out, tmp_path / "fresh")


def edited(path, change):
    """Rewrite a staging file with other rows."""
    content = pq.read_table(path)
    pq.write_table(change(content), path)


@pytest.mark.parametrize("what", ["rows are missing", "segments overlap"])
def test_every_planned_recording_is_accounted_for(folder, tmp_path, fragile, what):
    fragile.broken = set()
    out = tmp_path / "out"
    run(folder, out)
    whole = tmp_path / "whole"
    shutil.copytree(out, whole)
    for path in (out / "staging").iterdir():
        edited(path, lambda rows: without(rows, "beta") if what == "rows are missing" else overlapping(rows, "beta"))
    summary = run(folder, out, compact=True)
    (row,) = [row for row in rows(out, "ledger") if row["status"] == "failed"]
    assert (row["recording_id"].split("-")[0], row["reason"]) == ("beta", "staging")
    assert (summary.recordings, summary.failed_recordings) == (3, 1)
    assert row["path"].endswith("beta.wav")
    assert run(folder, out, retry_failed=True).failed_recordings == 0
    assert same(out, whole)


def without(rows, name):
    return rows.filter([not item["id"].startswith(name) for item in rows["source"].to_pylist()])


def overlapping(rows, name):
    changed = rows.to_pylist()
    for row in changed:
        if row["source"]["id"].startswith(name):
            row["segments"][1]["start"] = row["segments"][0]["start"]
    return type(rows).from_pylist(changed, schema=rows.schema)


class FlakyFileSystem(MemoryFileSystem):
    """Reads fail beyond a place of the file while it says so."""

    protocol = "flaky"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    readable: ClassVar[int | None] = None

    def _open(self, path, mode="rb", **options):
        file = super()._open(path, mode, **options)
        if self.readable is not None and mode == "rb":
            return Flaky(file, self.readable)
        return file


class Flaky(OpenFile):
    def __init__(self, file, readable):
        super().__init__(file)
        self._readable = readable

    def read(self, size=-1):
        if self._file.tell() + max(size, 0) > self._readable:
            raise OSError(5, "Input/output error")
        return self._file.read(size)


def test_a_read_error_in_one_run_and_a_whole_decode_in_the_next_do_not_mix(folder, tmp_path, fragile, monkeypatch):
    monkeypatch.setattr(patient_file, "DELAYS", (0.0,))
    fsspec.register_implementation("flaky", FlakyFileSystem, clobber=True)
    fragile.broken = set()
    remote = fsspec.filesystem("flaky")
    remote.pipe_file("flaky:///in/long.wav", (folder / "long.wav").read_bytes())
    out = tmp_path / "out"
    FlakyFileSystem.readable = 250_000
    run("flaky:///in", out)
    assert [row["status"] for row in rows(out, "ledger")].count("failed") == 1
    FlakyFileSystem.readable = None
    min((out / "staging").iterdir()).unlink()  # as if the build had been killed before it
    summary = run("flaky:///in", out)
    assert summary.recordings == 1
    assert run("flaky:///in", out, retry_failed=True).failed_recordings == 0
    run("flaky:///in", tmp_path / "fresh")
    assert same(out, tmp_path / "fresh")
