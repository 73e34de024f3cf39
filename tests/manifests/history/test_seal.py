"""A sealed record shows a change of any byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.errors import DataError
from curation.manifests.history.seal import check_seal, sealed

VALUES = {"rows": 3, "names": ["ä", "b"], "inner": {"x": 1.5}, "none": None}


def test_a_record_is_read_back():
    assert check_seal(sealed(VALUES), "x.json") == VALUES


@given(st.data())
def test_any_changed_byte_is_noticed(data):
    content = sealed(VALUES)
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    changed = content[:place] + bytes([other]) + content[place + 1 :]
    with pytest.raises(DataError, match=r"x\.json was changed after it was written"):
        check_seal(changed, "x.json")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", json.dumps(VALUES).encode(), b"[" * 100_000])
def test_what_was_never_sealed_is_noticed(content):
    with pytest.raises(DataError, match=r"x\.json was changed"):
        check_seal(content, "x.json")


def test_the_same_values_in_another_layout_are_noticed():
    content = json.dumps(json.loads(sealed(VALUES))).encode()
    with pytest.raises(DataError):
        check_seal(content, "x.json")
