"""Probabilities of a cut, on real speech; how right they are: tests/stages/test_boundary.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.audio.cuts import cut_probabilities
from curation.audio.wave import SAMPLE_RATE
from tests.support.real_speech import librivox

SPOKEN = np.concatenate(librivox())


@settings(max_examples=20, deadline=None)
@given(st.floats(-50, 20), st.integers(SAMPLE_RATE, 2 * SAMPLE_RATE))
def test_gain_does_not_matter(gain_db, at):
    samples = SPOKEN
    louder = samples * np.float32(10 ** (gain_db / 20))
    assert cut_probabilities(louder, at, 4 * at) == pytest.approx(cut_probabilities(samples, at, 4 * at), abs=1e-3)


def test_reversal_swaps_the_edges():
    samples = SPOKEN[: 160 * 450]
    start, end = 16_000, 160 * 300
    backwards = cut_probabilities(samples[::-1], len(samples) - end, len(samples) - start)
    assert backwards == pytest.approx(cut_probabilities(samples, start, end)[::-1])


@pytest.mark.parametrize("count", [0, 1, 100, 4000])
def test_silence_and_scraps_are_no_cuts_and_no_errors(count):
    assert max(cut_probabilities(np.zeros(count, np.float32))) < 0.5
    start, end = cut_probabilities(np.full(count, 0.1, np.float32))
    assert 0 <= start <= 1
    assert 0 <= end <= 1
    assert max(cut_probabilities(np.zeros(count + 8000, np.float32), 4000, 4000 + count)) < 0.5
