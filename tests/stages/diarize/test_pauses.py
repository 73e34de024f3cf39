"""Where the voice is down: levels made by hand, 10 ms a frame."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.stages.diarize.pauses import Pauses, quiet_level, stretches

FRAME = 160


def level(*parts: tuple[int, float]) -> Pauses:
    """Steady tones: (frames, dB) one after another. The level is smoothed over three frames."""
    amplitudes = [np.full(frames * FRAME, np.sqrt(2) * 10 ** (db / 20)) for frames, db in parts]
    wave = np.concatenate(amplitudes)
    return Pauses((wave * np.sin(np.pi / 4 * np.arange(len(wave)))).astype(np.float32))


def frames(*values):
    return tuple(value * FRAME for value in values)


def test_level_is_the_mean_power_in_db():
    made = level((50, -20.0), (50, -60.0))
    assert made.length == 100 * FRAME
    assert made.db[10] == pytest.approx(-20, abs=0.01)
    assert made.db[80] == pytest.approx(-60, abs=0.01)
    assert made.db[49] == pytest.approx(-20 + 10 * np.log10(2 / 3), abs=0.05)  # one of three frames is down
    assert made.db[50] == pytest.approx(-20 + 10 * np.log10(1 / 3), abs=0.05)


@pytest.mark.parametrize(("dip", "quiet"), [(-60.0, True), (-50.0, True), (-47.0, False), (-30.0, False)])
def test_quiet_is_below_the_floor_and_30_percent_of_the_way_to_the_voice(dip, quiet):
    """Floor -60, voice -20: below -48 dB."""
    made = level((100, -20.0), (20, dip), (100, -20.0), (40, -60.0))
    assert made.quiet[105:115].all() == quiet
    assert made.quiet[105:115].any() == quiet


def test_floor_and_voice_are_those_of_five_seconds_around():
    """A loud minute away does not make soft speech quiet."""
    soft = [(30, -50.0), (30, -80.0)] * 20
    made = level(*soft, (1300, -10.0), *soft)
    assert not made.quiet[5:25].any()
    assert made.quiet[35:55].all()


def test_the_limit_by_hand():
    """Percentiles 5 and 95 of two frames lie a twentieth of the way from each end; 10 dB of range are enough."""
    assert quiet_level(np.array([-80.0, -20.0])) == pytest.approx([-77 + 0.3 * 54] * 2)
    assert quiet_level(np.repeat([-30.0, -20.0], 50)) == pytest.approx([-27.0] * 100)
    assert (quiet_level(np.repeat([-29.9, -20.0], 50)) == -np.inf).all()


def test_in_steady_noise_nothing_is_quiet():
    assert not level((100, -40.0), (20, -47.0), (100, -40.0)).quiet.any()
    assert level((100, -40.0), (20, -53.0), (100, -40.0)).quiet.any()


def test_limits_are_taken_over_the_second_and_five_on_each_side():
    db = np.full(1600, -20.0)
    db[:100] = -80.0
    limits = quiet_level(db)
    assert limits[0] == limits[599] == pytest.approx(-80 + 0.3 * 60)
    assert limits[600] == -np.inf  # 5 s after it, and the second begins at 6: nothing quiet is near


@pytest.mark.parametrize(("closure", "pauses"), [(3, 0), (7, 0), (8, 1), (20, 1)])
def test_a_pause_is_60_ms_of_quiet(closure, pauses):
    """Smoothing takes a frame from each end, so that 80 ms of silence are 60 ms of quiet."""
    made = level((50, -20.0), (closure, -60.0), (50, -20.0), (20, -60.0))
    found = made.between(*frames(0, 100))
    assert len(found) == pauses
    if pauses:
        assert found == [frames(51, 50 + closure - 1)]


def test_only_whole_frames_within_the_limits_count():
    made = level((50, -20.0), (20, -60.0), (50, -20.0))
    assert made.between(*frames(55, 65)) == [frames(55, 65)]
    assert made.between(55 * FRAME + 1, 66 * FRAME - 1) == [frames(56, 65)]
    assert made.between(*frames(55, 60)) == []


def test_the_quietest_moment():
    """The middle frame of each dip of 30 ms, where all that is smoothed over is down."""
    made = level((50, -20.0), (3, -60.0), (50, -20.0), (3, -40.0), (50, -20.0))
    assert made.quietest(*frames(10, 140)) == 51 * FRAME
    assert made.quietest(*frames(60, 140)) == 104 * FRAME
    assert made.quietest(*frames(51, 52)) == 51 * FRAME
    assert made.quietest(51 * FRAME + 5, 52 * FRAME) == 51 * FRAME + 5  # no whole frame: the start
    assert made.quietest(*frames(70, 70)) == 70 * FRAME


PAUSES = ((40, -20.0), (30, -60.0), (40, -20.0), (12, -60.0), (40, -20.0))
"""Quiet from frame 41 to 69 and from 111 to 121."""


def test_the_first_and_the_last_pause_leave_100_ms_of_silence_to_the_voice():
    made = level(*PAUSES)
    assert made.first_pause(*frames(0, 160)) == 59 * FRAME  # the voice is back at 69
    assert made.last_pause(*frames(0, 160)) == 121 * FRAME  # all of it: exactly 0.1 s
    assert made.last_pause(*frames(0, 100)) == 51 * FRAME
    assert made.first_pause(*frames(80, 160)) == 111 * FRAME


def test_without_a_pause_it_is_the_quietest_moment():
    made = level((50, -20.0), (3, -60.0), (50, -20.0), (20, -60.0))
    for way in (made.first_pause, made.last_pause):
        assert way(*frames(20, 90)) == 51 * FRAME
    assert made.longest_pause(*frames(20, 90)) == frames(51, 51)


def test_the_longest_pause_and_of_equals_the_one_in_the_middle():
    assert level(*PAUSES).longest_pause(*frames(0, 160)) == frames(41, 69)
    equal = level((40, -20.0), (20, -60.0), (40, -20.0), (20, -60.0), (60, -20.0), (20, -60.0), (20, -20.0))
    assert equal.longest_pause(*frames(0, 220)) == frames(101, 119)
    assert equal.longest_pause(*frames(0, 120)) == frames(41, 59)


def test_an_edge_moves_up_to_100_ms_into_the_first_pause():
    made = level(*PAUSES)
    assert made.fade(*frames(30, 60)) == 51 * FRAME  # outwards to the right: silence from 41 on
    assert made.fade(*frames(30, 45)) == 30 * FRAME + round(13 * FRAME)  # too little room for a pause: its middle
    assert made.fade(*frames(80, 50)) == 59 * FRAME  # to the left: silence up to 69
    assert made.fade(*frames(80, 80)) == 80 * FRAME


def test_of_several_short_stretches_the_longest_is_taken():
    made = level((50, -20.0), (6, -60.0), (4, -20.0), (4, -60.0), (50, -20.0))  # quiet: 51 to 55, 61 to 63
    assert made.fade(*frames(48, 66)) == 53 * FRAME
    assert made.fade(*frames(66, 48)) == 53 * FRAME


def test_an_edge_without_silence_moves_to_the_quietest_moment():
    made = level((50, -20.0), (3, -30.0), (50, -20.0), (20, -60.0))
    assert made.fade(*frames(40, 60)) == 51 * FRAME
    assert made.fade(*frames(60, 40)) == 52 * FRAME


@given(st.lists(st.booleans()))
def test_stretches_are_the_runs_of_true(mask):
    runs = stretches(np.array(mask, bool))
    again = np.zeros(len(mask), bool)
    for start, end in runs:
        assert start < end
        again[start:end] = True
    assert again.tolist() == mask
    assert all(one[1] < two[0] for one, two in pairwise(runs))
    assert all(type(value) is int for run in runs for value in run)
