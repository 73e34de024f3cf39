"""The state of a file says whether its content is another one."""

import os

import fsspec
import pytest

from curation.core.file_state import FileState, is_other_content


def test_a_local_file_is_the_same_until_it_is_written(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"12345")
    before = FileState.at(str(path))
    assert before.size == 5
    assert FileState.at(str(path)) == before == FileState.of_stat(path.stat())
    path.write_bytes(b"123456")
    assert is_other_content(before.version, FileState.at(str(path)).version)
    os.utime(path, ns=(0, 0))
    touched = FileState.at(str(path)).version
    path.write_bytes(b"654321")
    assert FileState.at(str(path)).version != touched
    assert not is_other_content(touched, FileState.at(str(path)).version)  # nobody can tell: told, not acted on


def test_a_link_is_what_it_points_to(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"12345")
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    assert FileState.at(str(tmp_path / "b.wav")) == FileState.at(str(tmp_path / "a.wav"))


def test_what_cannot_be_asked_has_no_version(tmp_path):
    for path in (str(tmp_path / "absent"), "memory://absent/x", "unheard-of://x"):
        assert FileState.at(path) == FileState()


def test_a_remote_file_has_its_time():
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/state/a", b"123")
    state = FileState.at("memory://state/a")
    assert (state.size, state.version.split()[0]) == (3, "3")


@pytest.mark.parametrize("tag", ["ETag", "etag", "md5Hash"])
def test_a_tag_counts_before_a_time(tag):
    assert FileState.of_info({"size": 3, tag: '"abc"', "LastModified": "now"}) == FileState(3, "abc")
    assert is_other_content("abc", "abd")
    assert not is_other_content("abc", "")
    assert not is_other_content("", "abc")
    assert not is_other_content("abc", "abc")
