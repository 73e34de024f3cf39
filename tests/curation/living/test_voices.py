"""Voices of a corpus: found, kept when it grows, and forgotten with the recordings."""

import pytest

from curation.core.storage import Storage
from curation.living.voices import blocks, find_voices
from curation.manifests.voices.files import FILE, read_members
from tests.manifests.voices.test_clusters import speaker
from tests.support.builds import rows, toy_build, write_recordings
from tests.support.commands import curation


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A corpus of two voices, which take turns in every recording, before and after two recordings more."""
    folder = tmp_path_factory.mktemp("voices")
    out = folder / "out"
    toy_build(write_recordings(folder / "in", ["ab", "cd", "ef"]), out)
    first = find_voices(str(out)), read_members(Storage(str(out)))
    toy_build(write_recordings(folder / "in", ["gh", "ij"]), out)
    shown = curation("voices", out).stdout
    return out, first, (shown, read_members(Storage(str(out))))


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


def test_who_is_removed_is_in_no_file(grown, tmp_path):
    out = grown[0]
    gone = next(iter(read_members(Storage(str(out))).numbers))[0]
    assert gone.encode() in (out / FILE).read_bytes()
    curation("remove", out, "--recording", gone)
    assert gone.encode() not in (out / FILE).read_bytes()
    left = read_members(Storage(str(out)))
    assert left.numbers
    assert left.count == 2


def test_blocks_hold_whole_recordings():
    every = [speaker(recording, f"S{place}", place) for recording in "abc" for place in range(3)]
    found = [[one.recording for one in block] for block in blocks(every, 4)]
    assert found == [["a"] * 3 + ["b"] * 3, ["c"] * 3]
