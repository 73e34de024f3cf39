"""What two utterances have in common, as a share of the shorter one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.dedup.likeness import likeness
from curation.dedup.search import Sound


def sound(codes, voice=(1.0, 0.0), text="Good day, all!", seconds=2.0, starts=()):
    words = np.arange(len(starts), dtype=np.int32)
    return Sound(
        0,
        seconds,
        np.array(codes, np.int32),
        np.array(voice, np.float32),
        text,
        words,
        np.array([(at, at) for at in starts], np.float32),
    )


def test_a_part_of_an_utterance_is_all_in_it():
    found = likeness(sound([1, 2, 3, 4, 5, 6], seconds=3.0), sound([3, 3, 4, 5], (0.6, 0.8), "good DAY", 2.0))
    assert found[:4] == pytest.approx((1.0, 0.6, 1.0, 2 / 3))
    assert likeness(sound([1, 2]), sound([3, 4], text="zzz"))[:3] == (0.0, 1.0, 0.0)


def test_what_cannot_be_compared_is_null():
    found = likeness(sound([1], voice=()), sound([1], text="..."))
    assert (found.voice, found.words, found.codes) == (None, None, 1.0)
    assert (found.rhythm_ms, found.speed) == (None, None)


def test_the_times_of_words_tell_speed_and_how_far_they_are_off():
    found = likeness(sound([1], starts=[0, 1, 2, 3, 4, 5]), sound([1], starts=[0.5, 1, 1.5, 2.1, 2.5, 3]))
    assert (found.rhythm_ms, found.speed) == pytest.approx((0, 2), abs=1e-3)


@given(*[st.lists(st.integers(0, 4), min_size=1, max_size=20)] * 2)
def test_it_is_a_share_and_the_same_in_both_directions(one, two):
    assert likeness(sound(one), sound(two)) == likeness(sound(two), sound(one))
    assert 0 <= likeness(sound(one), sound(two)).codes <= 1
    assert likeness(sound(one), sound(one)).codes == 1
