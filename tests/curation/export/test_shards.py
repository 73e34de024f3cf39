"""Parts of nearly equal length that hold everything in order; tar files without time and owner."""

import tarfile
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from curation.export.folder import Folder
from curation.export.shards import Job, tar_file


@given(st.lists(st.integers(1, 500), max_size=40), st.integers(1, 2000))
def test_parts_hold_everything_in_order_and_are_numbered(lengths, most):
    every = [SimpleNamespace(samples=length, place=place) for place, length in enumerate(lengths)]
    job = Job(None, every, len(every), sum(lengths), most, "flac", "", "", [])
    parts = [(number, list(mine)) for number, mine in job.parts()]
    assert [number for number, _ in parts] == list(range(len(parts)))
    assert [one for _, mine in parts for one in mine] == every
    longest = max(lengths, default=0)
    assert all(sum(one.samples for one in mine) <= most + longest for _, mine in parts)


def test_members_have_no_time_and_no_owner(tmp_path):
    with Folder.appearing(tmp_path / "out") as folder:
        with tar_file(folder, "a.tar") as tar:
            tar.add("x" * 150 + ".flac", b"12")
            tar.add("y", b"")
        folder.finish({})
    with tarfile.open(tmp_path / "out/a.tar") as tar:
        members = [(item.name, item.mtime, item.uid, item.uname, item.mode) for item in tar]
        assert members == [("x" * 150 + ".flac", 0, 0, "", 0o644), ("y", 0, 0, "", 0o644)]
        assert tar.extractfile("x" * 150 + ".flac").read() == b"12"
