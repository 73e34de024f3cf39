"""Cut, faster and misheard copies keep the rhythm of their words; another take of the same words does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.dedup.timing import timing

SEEDS = st.integers(0, 2**32 - 1)


def said(draw, count):
    """Words, all different, (count, 2) times: a word takes 0.1 to 0.3 s, and what is between two as long."""
    return list(range(count)), np.cumsum(draw.uniform(0.1, 0.3, 2 * count)).reshape(count, 2).astype(np.float32)


def both(one, two):
    return timing((one[0], two[0]), (one[1], two[1]))


@given(SEEDS, st.integers(8, 40), st.floats(0.8, 1.25), st.floats(-2, 2), st.floats(0, 0.01))
def test_a_copy_is_off_by_the_error_of_the_aligner_whatever_its_speed(seed, count, speed, begin, error):
    draw = np.random.default_rng(seed)
    words, times = said(draw, count)
    copy = (times / speed + begin + draw.uniform(-error, error, (count, 2))).astype(np.float32)
    cut, wrong = int(draw.integers(0, 3)), int(draw.integers(3, count))
    heard = [-1 if place == wrong else word for place, word in enumerate(words)]
    found = both((words, times), (heard[cut:], copy[cut:]))
    assert found.rhythm_ms <= 2500 * error + 0.1
    assert found.speed == pytest.approx(speed, rel=0.002 + 8 * error / float(np.ptp(times)))


@given(SEEDS, st.integers(8, 40))
def test_another_take_is_off_by_how_much_longer_or_shorter_words_are_said(seed, count):
    words, times = said(np.random.default_rng(seed), count)
    gaps = np.diff(times.ravel())
    gaps[:count] *= 0.8  # hesitates less at first, and more at the end
    gaps[count:] *= 1.25
    take = np.r_[0, np.cumsum(gaps)].reshape(count, 2).astype(np.float32)
    assert both((words, times), (words, take)).rhythm_ms > 10


@given(SEEDS, st.integers(5, 20))
def test_it_is_the_same_in_both_directions_and_of_itself_nothing(seed, count):
    draw = np.random.default_rng(seed)
    one, two = said(draw, count), said(draw, count)
    there, back = both(one, two), both(two, one)
    assert there.rhythm_ms == pytest.approx(back.rhythm_ms, rel=0.5)
    assert there.speed == pytest.approx(1 / back.speed, rel=0.3)
    assert both(one, one) == (0, 1)


def test_what_both_hold_does_not_make_them_copies_of_each_other():
    words, times = said(np.random.default_rng(0), 20)
    both_hold = (words[:6], times[:6])
    assert both((words, times), (words[:6] + [-1] * 14, times)) is None
    assert both((words, times), both_hold) == (0, 1)  # the shorter one is in the other


def test_too_few_words_and_words_without_times_tell_nothing():
    words, times = [1, 2, 3, 4, 5], np.arange(10, dtype=np.float32).reshape(5, 2)
    assert timing((words, words), (times, times)) is not None
    assert timing((words, [1, 2, 3, 4, 9]), (times, times)) is None
    assert timing((words, words), (times, np.zeros((5, 2), np.float32))) is None
    assert timing(([], words), (times[:0], times)) is None
