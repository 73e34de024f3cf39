"""Folders and patterns: links, hidden names, unknown suffixes; what is left out is counted."""

import os

import fsspec
import numpy as np
import pytest
import soundfile
from fsspec.implementations.local import LocalFileSystem

from curation.manifests.inputs import folders
from curation.manifests.inputs.folders import matches, recordings_in

LOCAL = LocalFileSystem()


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def listed(folder, pattern=None):
    """Paths below the folder, and the examples of what was left out, by reason."""
    skipped = {}
    walk = matches(LOCAL, str(folder / pattern), skipped) if pattern else recordings_in(LOCAL, str(folder), skipped)
    found = sorted(os.path.relpath(path, folder) for path, _ in walk)
    left_out = {reason: sorted(os.path.relpath(x, folder) for x in item.examples) for reason, item in skipped.items()}
    assert {reason: item.count for reason, item in skipped.items()} == {k: len(v) for k, v in left_out.items()}
    return found, left_out


def test_hidden_names_are_left_out_and_counted(tmp_path):
    hidden = ["._x.wav", ".Trash/x.wav", "__MACOSX/x.wav", "a/@eaDir/x.wav"]
    touch(tmp_path / "x.wav", *(tmp_path / name for name in hidden))
    names = ["._x.wav", ".Trash", "__MACOSX", "a/@eaDir"]
    skipped = {}
    assert [path for path, _ in recordings_in(LOCAL, str(tmp_path), skipped)] == [str(tmp_path / "x.wav")]
    assert skipped[folders.HIDDEN].count == len(names)
    assert len(skipped[folders.HIDDEN].examples) == 3
    assert listed(tmp_path, "*.wav") == (["x.wav"], {folders.HIDDEN: ["._x.wav"]})
    assert listed(tmp_path / ".Trash") == (["x.wav"], {})  # the user names it


def test_links_are_followed_once(tmp_path):
    touch(tmp_path / "in/a.wav", tmp_path / "in/deep/b.wav", tmp_path / "else/c.wav", tmp_path / "else/more/d.wav")
    inside = tmp_path / "in"
    (inside / "file.wav").symlink_to(tmp_path / "else/c.wav")
    (inside / "folder").symlink_to(tmp_path / "else")
    (inside / "again").symlink_to(tmp_path / "else")
    (inside / "twin.wav").symlink_to(inside / "a.wav")
    (inside / "deep/loop").symlink_to(inside)
    (inside / "up").symlink_to(tmp_path)
    (tmp_path / "else/more/back").symlink_to(inside / "deep")
    (inside / "lost.wav").symlink_to(tmp_path / "nowhere.wav")
    skipped = {}
    found = [os.path.relpath(path, inside) for path, _ in recordings_in(LOCAL, str(inside), skipped)]
    real = [os.path.realpath(inside / path) for path in found if path != "file.wav"]
    assert len(real) == len(set(real)) == 4  # a, b, c, d
    assert "file.wav" in found
    assert skipped[folders.BROKEN].examples == [str(inside / "lost.wav")]
    assert skipped[folders.KNOWN].count >= 4


def test_links_to_hidden_folders_are_the_only_way_to_them(tmp_path):
    """As git-annex and DVC keep files."""
    touch(tmp_path / ".git/annex/objects/x")
    (tmp_path / "x.wav").symlink_to(tmp_path / ".git/annex/objects/x")
    assert listed(tmp_path) == (["x.wav"], {folders.HIDDEN: [".git"]})


def test_unknown_suffixes_are_opened(tmp_path):
    wave = 0.1 * np.sin(np.arange(8000) / 5)
    for name in ("a.sph", "b.unknown", "no_suffix", "c.w64"):
        soundfile.write(tmp_path / name, wave, 8000, format="W64" if name == "c.w64" else "WAV")
    touch(tmp_path / "notes.txt", tmp_path / "m.jsonl", tmp_path / "letter.odt")
    (tmp_path / "empty").write_bytes(b"")
    found, left_out = listed(tmp_path)
    assert found == ["a.sph", "b.unknown", "c.w64", "no_suffix"]
    assert left_out == {
        folders.NO_MEDIA: ["notes.txt"],
        folders.MANIFEST: ["m.jsonl"],
        folders.NO_AUDIO: ["empty", "letter.odt"],
    }


def test_what_is_neither_file_nor_folder_is_counted(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    assert listed(tmp_path) == ([], {folders.SPECIAL: ["pipe.wav"]})
    assert listed(tmp_path, "*.wav") == ([], {folders.SPECIAL: ["pipe.wav"]})


def test_a_folder_that_a_pattern_matches_is_counted(tmp_path):
    touch(tmp_path / "take.wav/x.wav", tmp_path / "y.wav")
    (tmp_path / "lost.wav").symlink_to(tmp_path / "nowhere")
    left_out = {folders.FOLDER: ["take.wav"], folders.BROKEN: ["lost.wav"]}
    assert listed(tmp_path, "*.wav") == (["y.wav"], left_out)
    assert listed(tmp_path, "**/*.wav")[0] == ["take.wav/x.wav", "y.wav"]


def test_patterns_follow_links(tmp_path):
    """fsspec's own do not: linked folders were left out without a word."""
    touch(tmp_path / "in/a.wav", tmp_path / "in/deep/b.wav", tmp_path / "else/c.wav")
    (tmp_path / "in/folder").symlink_to(tmp_path / "else")
    (tmp_path / "in/twin.wav").symlink_to(tmp_path / "in/a.wav")
    (tmp_path / "in/deep/loop").symlink_to(tmp_path / "in")
    everything = ["a.wav", "deep/b.wav", "folder/c.wav"]
    assert listed(tmp_path / "in", "**/*.wav") == (everything, {folders.KNOWN: ["deep/loop", "twin.wav"]})
    # Through a pattern of limited depth a file is found where it matches, and only once.
    assert listed(tmp_path / "in", "*/*.wav")[0] == ["deep/b.wav", "folder/c.wav"]
    assert listed(tmp_path / "in", "t*.wav") == (["twin.wav"], {})


def test_links_in_a_circle(tmp_path):
    touch(tmp_path / "a.wav")
    (tmp_path / "x.wav").symlink_to("y.wav")
    (tmp_path / "y.wav").symlink_to("x.wav")
    for pattern in (None, "*.wav", "**/*.wav"):
        assert listed(tmp_path, pattern) == (["a.wav"], {folders.BROKEN: ["x.wav", "y.wav"]})


def test_a_file_that_vanishes_while_it_is_listed_is_left_to_decoding(tmp_path):
    touch(tmp_path / "a.wav", tmp_path / "b.wav")
    walk = recordings_in(LOCAL, str(tmp_path), {})
    first, _ = next(walk)
    for path in {str(tmp_path / "a.wav"), str(tmp_path / "b.wav")} - {first}:
        os.remove(path)  # noqa: PTH107 - it was listed by the operating system already
    assert [state.version for _, state in walk] == [""]


def test_a_folder_that_cannot_be_read(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        listed(tmp_path / "nothing")


def test_names_that_are_not_utf8_are_found(tmp_path):
    with open(os.fsencode(tmp_path) + b"/caf\xe9.wav", "wb") as file:  # noqa: PTH123 - a name in bytes
        file.write(b"1")
    assert listed(tmp_path)[0] == ["caf\udce9.wav"]


def test_object_stores_are_walked_in_the_same_way(tmp_path):
    fs = fsspec.filesystem("memory")
    root = f"/{tmp_path.name}/in"
    for name in ("a.wav", "deep/er/b.mp3", "deep/._b.mp3", ".x/c.wav", "notes.txt", "unknown"):
        fs.pipe_file(f"{root}/{name}", b"123")
    skipped = {}
    found = [(path, state.size) for path, state in recordings_in(fs, root, skipped)]
    assert sorted(found) == [(f"{root}/a.wav", 3), (f"{root}/deep/er/b.mp3", 3)]
    assert {reason: item.count for reason, item in skipped.items()} == {
        folders.HIDDEN: 2,
        folders.NO_MEDIA: 1,
        folders.NO_AUDIO: 1,
    }
