"""The publish pass: all parts of a large build count, and an interruption never leaves an index that is not true."""

import json
import shutil
from collections import Counter
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.manifests import plan
from curation.manifests.plan import read_plan
from curation.manifests.staging import committed
from curation.pipeline import publish
from curation.pipeline.run import build, build_state
from tests.support.builds import rows, seconds_by_recording, table
from tests.support.scripted import noise, scripted_stages, utterance, write_corpus
from tests.support.story import story_config

IN_A_PART, MANY = 40, 44
"""More recordings in units of their own than one part of the ledger holds."""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Recording `rNNN` is 0.25 s, its utterance 0.125 s or, in the last ten, 0.25 s; each sixth is rejected."""
    folder = tmp_path_factory.mktemp("many")
    recordings = {
        f"r{number:03d}.wav": (
            noise(0.25, seed=number),
            16_000,
            {
                "id": f"r{number:03d}",
                "segments": [
                    utterance(
                        0.0 if number >= MANY - 10 else 0.125,
                        0.25,
                        scores={"pwer": 0.5 if number % 6 == 5 else 0.0},
                    )
                ],
            },
        )
        for number in range(MANY)
    }
    manifest = write_corpus(folder / "in", recordings)
    config = story_config("tokenize=null", "engine.unit_files=1", f"publish.shard_hours={SHARD_SECONDS / 3600}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "UNITS_PER_PART", IN_A_PART)
        patch.setattr(publish, "FILES_PER_TASK", IN_A_PART)
        return build(config, [str(manifest)], str(folder / "out"), make_stages=scripted_stages), folder / "out"


KEPT = [number for number in range(MANY) if number % 6 != 5]
SHARD_SECONDS = 1.85
KEPT_SECONDS = sum(0.25 if number >= MANY - 10 else 0.125 for number in KEPT)


def test_every_recording_is_in_one_part_of_the_ledger(many):
    _, out = many
    assert len(list((out / "ledger").iterdir())) == 2
    assert seconds_by_recording(out) == {f"r{number:03d}": 0.25 for number in range(MANY)}


def test_the_summary_adds_all_parts_up(many):
    summary, _ = many
    assert (summary.recordings, summary.failed_recordings, summary.seconds) == (MANY, 0, MANY * 0.25)
    found = {(line.status, line.reason): (line.count, line.seconds) for line in summary.lines}
    rejected = [number for number in range(MANY) if number % 6 == 5]
    seconds = sum(0.25 if number >= MANY - 10 else 0.125 for number in rejected)
    assert found["kept", ""] == (len(KEPT), KEPT_SECONDS)
    assert found["rejected", "consensus.max_pwer"] == (len(rejected), seconds)
    assert found["non_speech", ""] == (MANY - 10, (MANY - 10) * 0.125)
    assert (summary.utterances, summary.kept_seconds) == (len(KEPT), KEPT_SECONDS)


def test_utterances_of_all_parts_are_spread_over_the_shards(many):
    _, out = many
    assert [row["recording_id"] for row in rows(out, "shards")] == [f"r{number:03d}" for number in KEPT]
    shards = json.loads((out / "shards/_index.json").read_text())["shards"]
    assert len(shards) == -(-KEPT_SECONDS // SHARD_SECONDS) == 4
    assert all(abs(shard["seconds"] - KEPT_SECONDS / 4) <= 0.25 for shard in shards)


def test_what_another_publish_pass_left_is_removed(story, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(story / "out", out)
    (out / "ledger/part-000007.parquet").write_bytes((out / "ledger/part-000000.parquet").read_bytes())
    (out / "segments/part-000007.parquet").write_bytes((out / "segments/part-000000.parquet").read_bytes())
    (out / "shards/part-00000-of-00077.parquet").write_bytes(b"of an earlier pass")
    for compact, left, edition in ((False, "", ""), (True, "", "-v2"), (False, "-v2", "-v2")):
        (out / f"shards/part-00007-of-00077{left}.parquet").write_bytes(b"of one that was given up")
        build(story_config(), [], str(out), make_stages=scripted_stages, compact=compact)
        for folder in ("ledger", "segments"):
            assert [path.name for path in (out / folder).iterdir()] == [f"part-000000{edition}.parquet"]
            assert table(out, folder).equals(table(story / "out", folder))
        shards = sorted(path.name for path in (out / "shards").iterdir())
        assert shards == ["_index.json", f"part-00000-of-00001{edition}.parquet"]


class InterruptedPassError(Exception):
    pass


@pytest.mark.parametrize("step", ["judge", "ledger", "shards"])
def test_an_interrupted_publish_pass_leaves_the_old_corpus_and_resumes(story, tmp_path, step):
    out = tmp_path / "out"
    shutil.copytree(story / "out", out)

    def interrupt(progress):
        if progress.step == step and progress.done:
            raise InterruptedPassError

    stricter = f"publish.shard_hours={3 / 3600}"
    with pytest.raises(InterruptedPassError):
        build(story_config(stricter), [], str(out), make_stages=scripted_stages, on_progress=interrupt)
    for file in ("shards/_index.json", "summary.json", "build.yaml", "shards/part-00000-of-00001.parquet"):
        assert (out / file).read_bytes() == (story / "out" / file).read_bytes()
    state = build_state(Storage(str(out)))
    assert (state.published, state.phase) == (True, "publish")
    if step == "shards":  # some of the new shards are beside those of the pass before
        assert len(list((out / "shards").glob("*.parquet"))) > 1
    build(story_config(stricter), [], str(out), make_stages=scripted_stages)
    assert len(list((out / "shards").glob("*.parquet"))) == 4
    for folder in ("shards", "ledger"):
        assert table(out, folder).equals(table(story / "out", folder))
    assert build_state(Storage(str(out))).published


def test_publishing_again_keeps_staging_and_tokens(story, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(story / "out", out)
    before = {
        path: path.stat().st_mtime_ns for name in ("staging", "tokens") for path in (out / name).rglob("*.parquet")
    }
    encoded = []

    def note(progress):
        if progress.step == "judge":
            encoded.append(progress.audio_seconds)

    build(story_config("consensus.max_pwer=0.1"), [], str(out), make_stages=scripted_stages, on_progress=note)
    assert encoded[-1] == 0.5  # the utterance without audio is tried again, nothing else
    after = {path: path.stat().st_mtime_ns for path in before}
    assert sum(after[path] != before[path] for path in before) == 1


class CountingFileSystem(MemoryFileSystem):
    """Counts how often each file is opened for reading."""

    protocol = "counting"
    opened: ClassVar[Counter] = Counter()

    def cat_file(self, path, start=None, end=None, **options):
        if start is None or start < 0:  # the whole, or the end with the footer; what follows are ranges of columns
            self.opened[path] += 1
        return super().cat_file(path, start, end, **options)


@pytest.mark.parametrize("overrides", [(), ("publish.audio=true",), ("consensus.max_pwer=0",)])
def test_staging_is_read_once_and_audio_only_of_what_is_kept(story, tmp_path, overrides):
    """The first publish pass: the texts of all once for the segments; once for the tokens, once for the shards."""
    fsspec.register_implementation("counting", CountingFileSystem, clobber=True)
    CountingFileSystem.opened.clear()
    out = Storage(f"counting://{tmp_path.name}")
    build(story_config(*overrides), [str(story / "in/manifest.jsonl")], out.root, make_stages=scripted_stages)
    names = committed(out)
    opened = {name: CountingFileSystem.opened[out.path(name.speech)] for name in names}
    assert {CountingFileSystem.opened[out.path(name.file)] for name in names} == {1}
    published = {row["id"] for row in rows(out.root, "shards")}
    assert bool(published) == (overrides != ("consensus.max_pwer=0",))
    for name, times in opened.items():
        judged = out.read_table(name.file, ["segments.list.element.id"])["segments"].to_pylist()
        has_kept = any(segment["id"] in published for segments in judged for segment in segments)
        assert times == (3 if has_kept else 1)
    assert out.names("judged") == []


def test_a_damaged_staging_file_is_named_and_labelled_anew_once_it_is_removed(story, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(story / "out", out)
    damaged = sorted((out / "staging").iterdir())[1]
    damaged.write_bytes(damaged.read_bytes()[:1000])
    with pytest.raises(DataError, match=f"{damaged} is damaged.*remove it and run the same command again"):
        build(story_config(), [], str(out), make_stages=scripted_stages, compact=True)
    assert table(out, "shards").equals(table(story / "out", "shards"))
    damaged.unlink()
    build(story_config(), [], str(out), make_stages=scripted_stages)
    for folder in ("staging", "shards", "ledger"):
        assert table(out, folder).equals(table(story / "out", folder))


def test_a_unit_that_was_lost_while_labelling_is_failed_rows_and_labelled_by_the_same_command(story, tmp_path):
    out = tmp_path / "out"

    def lose(progress):
        for path in (out / "staging").glob("00000000-*"):
            path.unlink()

    inputs, config = [str(story / "in/manifest.jsonl")], story_config("tokenize=null")
    lost = {source.id for unit in read_plan(Storage(str(story / "out"))).units([0]) for source in unit.sources}
    summary = build(config, inputs, str(out), make_stages=scripted_stages, on_progress=lose)
    found = [row for row in rows(out, "ledger") if row["recording_id"] in lost]
    assert {row["recording_id"] for row in found} == lost
    assert {(row["status"], row["reason"]) for row in found} == {("failed", "staging")}
    assert summary.recordings == 10
    build(config, [], str(out), make_stages=scripted_stages)
    assert table(out, "staging").equals(table(story / "out", "staging"))


def test_a_pass_that_is_done_leaves_none_of_its_notes(story):
    assert {"publish", "judged"}.isdisjoint(path.name for path in (story / "out").iterdir())


def test_the_index_names_every_file_of_the_corpus_and_no_other(story):
    index = json.loads((story / "out/shards/_index.json").read_text())
    named = {
        "shards": [shard["file"] for shard in index["shards"]],
        **{name: index[name] for name in ("ledger", "segments")},
    }
    for folder, files in named.items():
        assert files
        assert sorted(files) == sorted(path.name for path in (story / "out" / folder).glob("*.parquet"))
