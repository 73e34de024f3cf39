"""The commands of `curation/cli/living.py`: `curation compact` writes a corpus that grew as one generation."""

import json

import pytest

from curation.core.storage import Storage
from curation.manifests.index import read_index
from curation.manifests.plan import read_plan
from curation.manifests.voices.files import read_members
from curation.pipeline.guard.lock import held
from tests.support.builds import toy_build, write_recordings
from tests.support.commands import curation, message


def test_a_corpus_that_grew_is_written_as_one_generation(tmp_path):
    folder, out = write_recordings(tmp_path / "in", ["alpha"]), tmp_path / "out"
    toy_build(folder, out)
    toy_build(write_recordings(folder, ["beta"]), out)
    before = read_index(Storage(str(out)))
    summary = json.loads(curation("compact", out, "--json").stdout)
    after = read_index(Storage(str(out)))
    assert (len(before.shards), len(after.shards), summary["utterances"]) == (2, 1, before.rows)
    assert [step.kind for step in after.generations] == ["build", "append", "compact"]
    assert "2 recordings" in curation("compact", out).stdout
    assert curation("verify", out).exit_code == 0


@pytest.mark.parametrize("command", ["compact", "remove", "voices", "dedup"])
def test_a_corpus_is_taken_from_another_build_as_the_message_says(tmp_path, command):
    folder, out = write_recordings(tmp_path / "in", ["alpha", "beta"]), tmp_path / "out"
    toy_build(folder, out)
    what = ("--recording", folder / "alpha.wav") if command == "remove" else ()
    with held(Storage(str(out)), "another"):
        assert "--wait SECONDS, or take the folder from it with --force-unlock" in message(
            curation(command, out, *what, "--wait", 0, code=1)
        )
        taken = curation(command, out, *what, "--force-unlock", code=2 if command == "dedup" else 0)
    if command == "dedup":
        assert "was published without tokens" in message(taken)
    elif command == "voices":
        assert read_members(Storage(str(out)), read_plan(Storage(str(out)))).numbers
    else:
        assert read_index(Storage(str(out))).generations[-1].kind == command


@pytest.mark.parametrize("command", ["remove", "voices", "dedup"])
def test_a_corpus_that_is_not_there_is_not_begun(tmp_path, command):
    out = tmp_path / "mistyped"
    what = ("--speaker", "Ann") if command == "remove" else ()
    assert "holds no finished build" in message(curation(command, out, *what, code=2))
    assert not out.exists()


def test_files_with_brackets_are_named_as_they_are(tmp_path):
    out = tmp_path / "a[/b]"
    toy_build(write_recordings(tmp_path / "in", ["alpha"]), out)
    assert message(curation("verify", out)).startswith(f"{out} is whole")
    assert f"{out}/summary.json" in curation("summary", out).stdout
    (out / "shards/c[bold]").touch()
    assert message(curation("verify", out, code=1)).startswith("shards/c[bold] is not of the corpus")
