"""Sketches say how similar sequences are; repetitions and order in a batch do not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.dedup.sketch import collapsed, shingles, sketches

CODES = st.lists(st.integers(0, 9), min_size=1, max_size=30).map(lambda values: np.array(values, np.int32))


@given(st.lists(CODES, min_size=1, max_size=5), st.integers(1, 5))
def test_a_sketch_depends_on_its_own_sequence_without_repetitions(sequences, length):
    found = sketches(sequences, length, 8)
    assert found.shape == (len(sequences), 8)
    for row, codes in zip(found, sequences, strict=True):
        np.testing.assert_array_equal(row, sketches([np.repeat(codes, 3)], length, 8)[0])
    grams, starts = shingles(sequences, length)
    for codes, found in zip(sequences, np.split(grams, starts[1:]), strict=True):
        values = collapsed(codes).tolist()
        expected = {*zip(*(values[at:] for at in range(length)), strict=False)}
        assert len(found) == max(1, len(values) - length + 1)
        assert len({*found.tolist()}) == max(1, len(expected))


def test_the_share_of_equal_values_is_the_similarity_of_the_sets():
    numbers = np.arange(3000, dtype=np.int32)
    one, two, other = numbers[:2000], numbers[1000:], numbers[:100] + 9000
    first, second, third = sketches([one, two, other], 1, 512)
    assert np.mean(first == second) == pytest.approx(1 / 3, abs=0.08)
    assert np.mean(first == third) == 0
    assert sketches([], 1, 512).shape == (0, 512)
