"""Ids stay when a corpus moves, and differ wherever recordings do."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.manifests.inputs.ids import Roots, make_id, read_roots, write_roots

PARTS = st.text("ab1.", min_size=1, max_size=3).filter(lambda part: part.strip("."))
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def test_an_id_is_the_files_name_and_a_digest_of_its_path():
    """Ids are in published corpora: another way to make them would make old corpora new ones."""
    assert make_id("deep/er/c.FLAC") == "c-3c5ebf5391e638ddaa0553780afb0dc9"
    assert re.fullmatch("ber-uns-1-[0-9a-f]{32}", make_id("Über uns (1).wav"))
    assert make_id("x" * 60 + ".wav").split("-")[0] == "x" * 48
    assert make_id("日本.wav").startswith("recording-")
    assert make_id("a.wav", "s1") not in {make_id("a.wav"), make_id("s1/a.wav"), make_id("a.wav", "s2")}


def test_many_paths_have_many_ids():
    """32 bits gave 4 equal ids for 200,000 names."""
    paths = [f"{hour:06d}/audio.wav" for hour in range(200_000)]
    assert len(set(map(make_id, paths))) == len(paths)


def test_a_name_that_is_not_utf8_has_an_id():
    assert make_id("caf\udce9.wav") != make_id("caf\udce8.wav")


@given(st.sets(PATHS, min_size=1, max_size=4), st.sets(PATHS, min_size=1, max_size=4), st.data())
def test_recordings_of_all_roots_have_ids_of_their_own(roots, files, data):
    """Whatever the folders are, and in whatever runs and order they are added."""
    folders = [f"/{root}" for root in data.draw(st.permutations(sorted(roots)))]
    known = Roots()
    step = data.draw(st.integers(1, len(folders)))
    ids = {}
    for start in range(0, len(folders), step):
        known.add(folders[start : start + step])
        for path in {f"{folder}/{file}" for folder in folders[: start + step] for file in files}:
            assert ids.setdefault(path, known.id_of(path)) == known.id_of(path)  # they stay when roots are added
    assert len(set(ids.values())) == len(ids)


@given(st.sets(PATHS, min_size=1, max_size=4), st.sets(PATHS, min_size=1, max_size=3), st.data())
def test_ids_stay_when_everything_moves_and_in_any_order(roots, files, data):
    here, there = Roots(), Roots()
    here.add(f"/x/{root}" for root in sorted(roots))
    there.add(f"/x/{root}" for root in data.draw(st.permutations(sorted(roots))))
    for path in {f"/x/{root}/{file}" for root in roots for file in files}:
        assert here.id_of(path) == there.id_of(path)
    if len(roots) == 1:
        moved = Roots()
        moved.add(f"s3://y/{root}" for root in roots)
        for root in roots:
            assert [here.id_of(f"/x/{root}/{file}") for file in files] == [
                moved.id_of(f"s3://y/{root}/{file}") for file in files
            ]


def test_roots_are_named_as_far_as_needed():
    roots = Roots()
    roots.add(["/data/a/wavs", "/data/b/wavs", "/data/b/wavs/deep", "/other"])
    assert roots.names == {"/data/a/wavs": "a/wavs", "/data/b/wavs": "b/wavs", "/other": "other"}
    roots.add(["/more/other"])
    assert roots.names["/more/other"] == "more/other"
    twins = Roots()
    twins.add(["s3://bucket/x", "gs://bucket/x", "/"])
    assert len(set(twins.names.values())) == 3


def test_a_folder_that_was_moved_is_the_same_root():
    roots = Roots()
    roots.add(["/old/in"])
    before = roots.id_of("/old/in/x.wav")
    roots.add(["/new/in"], exists=lambda folder: folder != "/old/in")
    assert roots.id_of("/new/in/x.wav") == before
    assert roots.same_place("/old/in/x.wav", "/new/in/x.wav")
    assert not roots.same_place("/old/in/x.wav", "/new/in/y.wav")
    beside = Roots({"/old/in": ""})
    beside.add(["/new/in"], exists=lambda _: True)
    assert beside.id_of("/new/in/x.wav") != before


@pytest.mark.parametrize("written", ["../x.wav", "/y/x.wav", "https://host/x.wav"])
def test_paths_outside_of_all_roots_count_as_they_are_written(written):
    roots = Roots({"/data/m": ""})
    assert roots.id_of("/elsewhere/x.wav", written, "/data/m") == make_id(written)


def test_paths_outside_of_several_manifests_differ():
    roots = Roots()
    roots.add(["/a/m", "/b/n"])
    assert roots.id_of("/a/x.wav", "../x.wav", "/a/m") != roots.id_of("/b/x.wav", "../x.wav", "/b/n")


def test_roots_are_kept_with_the_build(tmp_path):
    out = Storage(str(tmp_path))
    assert read_roots(out).names == {}
    write_roots(out, Roots({"/x": "", "/y": "y"}))
    assert read_roots(out).names == {"/x": "", "/y": "y"}
