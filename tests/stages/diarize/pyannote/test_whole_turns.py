"""Turns from frames, and which of them have one voice."""

import numpy as np
import pytest

from curation.stages.diarize.pyannote.whole_turns import Local, local_turns, speakers, where_alone

LONG = np.array([300])


def voices(*degrees: float) -> np.ndarray:
    """Embeddings in the plane, at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def row(*turns: tuple[int, int, int]) -> list[Local]:
    return [Local(*turn) for turn in turns]


@pytest.mark.parametrize(("gap", "expected"), [(0, [(2, 4, 0), (3, 8, 1), (6, 8, 0)]), (2, [(2, 8, 0), (3, 8, 1)])])
def test_turns_of_each_number(gap, expected):
    active = np.zeros((10, 2), bool)
    active[2:4, 0] = active[6:8, 0] = active[3:8, 1] = True
    assert local_turns(active, gap) == row(*expected)


def test_where_nobody_else_speaks():
    alone = np.ones(200, bool)
    alone[50:100] = alone[110:120] = False
    assert where_alone(Local(10, 150, 0), alone) == [(10, 50), (120, 150)]  # 100..110 is too short


def test_the_same_voice_is_one_speaker_whatever_its_number():
    turns = row((0, 300, 0), (310, 610, 1), (620, 920, 0), (930, 1230, 2))
    found = speakers(turns, voices(0, 90, 95, 5), LONG.repeat(4), 0.5)
    assert found[0] == found[3] != found[1] == found[2]


def test_turns_at_once_are_never_one_speaker():
    found = speakers(row((0, 300, 0), (200, 500, 1)), voices(0, 1), LONG.repeat(2), 0.5)
    assert found[0] != found[1]


def test_a_short_turn_goes_to_the_nearest_voice_that_is_silent():
    turns = row((0, 300, 0), (310, 610, 1), (640, 700, 0), (400, 460, 2))
    found = speakers(turns, voices(0, 90, 80, 85), np.array([300, 300, 60, 60]), 0.5)
    assert found[2] == found[1]
    assert found[3] == found[0]  # the nearer one speaks at the same time


def test_where_there_is_nothing_to_hear_it_is_somebody_else():
    """An interjection that is covered altogether must not count as the speaker whom it covers."""
    unknown = np.full((1, 2), np.nan, np.float32)
    turns = row((0, 300, 0), (100, 140, 1))
    found = speakers(turns, np.concatenate([voices(0), unknown]), np.array([260, 0]), 0.5)
    assert found[1] != found[0]
    assert speakers([], np.zeros((0, 2), np.float32), np.zeros(0, int), 0.5) == []
