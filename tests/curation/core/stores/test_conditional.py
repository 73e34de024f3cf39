"""A conditional write happens only where the object is still the one that was read."""

import pytest

from curation.core.storage import Storage
from curation.core.stores.conditional import ChangedError


@pytest.fixture
def out(s3_bucket):
    return Storage(f"{s3_bucket}/out")


def test_written_once_where_nothing_is(out):
    version = out.write_if("x", b"1", None)
    with pytest.raises(ChangedError):
        out.write_if("x", b"2", None)
    assert out.read_version("x") == (b"1", version)


def test_replaced_only_as_it_was_read(out):
    first = out.write_if("x", b"1", None)
    second = out.write_if("x", b"2", first)
    for stale in (first, '"another"'):
        with pytest.raises(ChangedError):
            out.write_if("x", b"3", stale)
    assert out.read_version("x") == (b"2", second)
    out.remove("x")
    with pytest.raises(ChangedError):
        out.write_if("x", b"3", second)
    assert not out.exists("x")


def test_a_write_whose_answer_was_lost_is_known_as_ours(out, s3):
    lost = iter(["unanswered"])
    s3.fault = lambda request: next(lost, None) if request.method == "PUT" else None
    version = out.write_if("x", b"mine", None)
    assert out.read_version("x") == (b"mine", version)


def test_whether_conditions_are_kept_is_tried(out, s3, tmp_path):
    out.write_bytes("x", b"1")
    assert out.keeps_conditions("x")
    s3.fault = lambda _: "unconditional"
    assert not out.keeps_conditions("x")
    s3.fault = lambda request: 501 if request.condition else None
    assert not out.keeps_conditions("x")
    assert out.read_bytes("x") == b"1"
    local = Storage(str(tmp_path))
    local.write_if("x", b"1", None)
    assert not local.keeps_conditions("x")
    assert local.read_bytes("x") == b"1"
