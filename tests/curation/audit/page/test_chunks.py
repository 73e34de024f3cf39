"""Files of data: what goes in comes out, none is too large, and no content ends the string that holds it."""

import base64
import gzip
import json
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.audit.page import chunks
from tests.support.texts.characters import ANY

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(ANY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(ANY), inner, max_size=4),
    max_leaves=8,
)


def taken(content: bytes):
    match = re.fullmatch(rb'AUDIT\.take\("(\w+)","([A-Za-z0-9+/=]*)"\);\n', content)
    assert match
    return match[1].decode(), json.loads(gzip.decompress(base64.b64decode(match[2])))


@given(VALUES)
@settings(max_examples=20)
def test_values_come_back(values):
    assert taken(chunks.script("meta", values)) == ("meta", values)


@given(st.lists(VALUES, max_size=8))
@settings(max_examples=20)
def test_rows_come_back_in_order(rows):
    assert [row for content in chunks.row_scripts(rows) for row in taken(content)[1]] == rows


def test_no_file_is_larger_than_5_mb():
    noise = np.random.default_rng(1)
    rows = [noise.bytes(400_000).hex() for _ in range(12)]
    contents = list(chunks.row_scripts(rows))
    assert max(map(len, contents)) <= chunks.MAX_BYTES
    assert [row for content in contents for row in taken(content)[1]] == rows


def test_half_a_character_does_not_end_the_page():
    _, values = taken(chunks.script("meta", ["a\ud800b"]))
    assert values[0].startswith("a")
