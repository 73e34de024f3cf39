"""Voices of a corpus: found, kept when it grows, published as a column, and forgotten with the recordings."""

import shutil

import pytest

from curation.core.storage import Storage
from curation.living.voices import blocks, find_voices
from curation.manifests.index import read_index
from curation.manifests.plan import read_plan
from curation.manifests.voices.files import FILE, read_members
from curation.pipeline.run import build
from tests.manifests.voices.test_clusters import speaker
from tests.support.builds import rows, toy_build, toy_config, write_recordings
from tests.support.commands import curation
from tests.support.toy import toy_stages

UNNAMED = "without a voice: `curation voices"


def members_of(out):
    return read_members(Storage(str(out)), read_plan(Storage(str(out))))


def hashes(out):
    return {entry.file: entry.sha256 for entry in read_index(Storage(str(out))).shards}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A corpus of two voices, which take turns in every recording, before and after two recordings more; its voices
    were looked for both times, and it was not compacted.
    """
    folder = tmp_path_factory.mktemp("voices")
    out = folder / "out"
    toy_build(write_recordings(folder / "in", ["ab", "cd", "ef"]), out)
    first, old = (find_voices(str(out)), members_of(out)), hashes(out)
    toy_build(write_recordings(folder / "in", ["gh", "ij"]), out)
    assert old.items() < hashes(out).items()
    shown = curation("voices", out).stdout
    return out, first, (shown, members_of(out))


@pytest.fixture
def other(grown, tmp_path):
    """A copy of it."""
    return shutil.copytree(grown[0], tmp_path / "out")


def check_column(out, members):
    """Shards and segments name the voice of each speaker."""
    for folder in ("shards", "segments"):
        for row in rows(out, folder):
            number = members.numbers.get((row["recording_id"], row["speaker"]))
            assert row["voice_id"] == (number and f"V{number:06d}")
    assert {row["voice_id"] for row in rows(out, "shards")} == {f"V{number:06d}" for number in members.numbers.values()}


def test_two_people_are_two_voices_in_all_recordings(grown):
    out, (found, members), _ = grown
    assert (found.voices, found.speakers, found.new) == (2, len(members.numbers), len(members.numbers))
    spoken = {(row["recording_id"], row["speaker"]) for row in rows(out, "shards")}
    assert {*members.numbers} < spoken
    by_recording = {}
    for (recording, _), number in members.numbers.items():
        by_recording.setdefault(recording, []).append(number)
    assert all(len(numbers) == len(set(numbers)) for numbers in by_recording.values())


def test_an_append_changes_no_voice(grown):
    out, (_, before), (shown, after) = grown
    assert before.numbers.items() < after.numbers.items()
    assert {*after.numbers.values()} == {*before.numbers.values()}
    new = len(after.numbers) - len(before.numbers)
    assert shown.split("\n")[0] == f"2 voices, {len(after.numbers)} speakers of recordings, {new} of them new"
    assert find_voices(str(out)).new == 0
    assert find_voices(str(out), anew=True).voices == 2


def test_the_voice_is_a_column_once_it_is_written(grown, other, caplog):
    _, _, (_, members) = grown
    assert {row["voice_id"] for row in rows(other, "shards")} == {None}
    build(toy_config(), [], str(other), make_stages=toy_stages)
    assert UNNAMED in caplog.text
    caplog.clear()
    curation("compact", other)
    assert UNNAMED not in caplog.text
    check_column(other, members)
    curation("verify", other)


def test_new_speakers_get_theirs_in_the_next_edition(grown, other, tmp_path, caplog):
    curation("compact", other)
    before, known = hashes(other), members_of(other)
    toy_build(write_recordings(tmp_path / "more", ["kl"], seconds=6), other)
    assert before.items() < hashes(other).items()
    new = [row for row in rows(other, "shards") if "kl" in row["recording_id"]]
    assert {row["voice_id"] for row in new} == {None}
    assert f"{len(new)} utterances {UNNAMED}" in caplog.text
    assert find_voices(str(other)).new == len({row["speaker"] for row in new})
    curation("compact", other)
    check_column(other, members_of(other))
    assert known.numbers.items() < members_of(other).numbers.items()


def test_numbers_are_not_given_again(other):
    curation("compact", other)
    find_voices(str(other), anew=True)
    assert {*members_of(other).numbers.values()} == {3, 4}


def test_who_speaks_in_a_recording_that_was_labelled_again_is_not_known(grown, other, tmp_path):
    """Who is S0 in a file that was replaced?"""
    folder, known = grown[0].parent / "in", members_of(other).numbers
    shutil.copy(write_recordings(tmp_path, ["xy"]) / "xy.wav", folder / "ab.wav")
    toy_build(folder, other)
    new = [row for row in rows(other, "shards") if row["recording_id"].startswith("ab-")]
    assert {(row["recording_id"], row["speaker"]) for row in new} & known.keys()
    assert {row["voice_id"] for row in new} == {None}
    assert find_voices(str(other)).new == len({row["speaker"] for row in new})


def test_who_is_removed_is_in_no_file(grown, tmp_path):
    out = grown[0]
    gone = next(iter(members_of(out).numbers))[0]
    assert gone.encode() in (out / FILE).read_bytes()
    curation("remove", out, "--recording", gone)
    assert gone.encode() not in (out / FILE).read_bytes()
    left = members_of(out)
    assert left.numbers
    assert left.count == 2


def test_blocks_hold_whole_recordings():
    every = [speaker(recording, f"S{place}", place) for recording in "abc" for place in range(3)]
    found = [[one.recording for one in block] for block in blocks(every, 4)]
    assert found == [["a"] * 3 + ["b"] * 3, ["c"] * 3]
