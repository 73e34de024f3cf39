"""Killing anything at any moment loses nothing and doubles nothing."""

import pytest

from tests.support.kill_harness import STOPS, torture


def test_same_rows_after_the_session_and_then_the_driver_was_killed(tmp_path):
    """The session with all its workers while recordings are labelled; the driver while shards are written."""
    outcome = torture(2, 24, tmp_path)
    assert outcome.stops == [("session", "label"), ("driver", "publish")]
    assert outcome.same
    assert outcome.repeated < 0.5


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_same_rows_after_many_kills(tmp_path):
    outcome = torture(30, 60, tmp_path)
    assert set(outcome.stops) == set(STOPS)
    assert outcome.same
    assert outcome.repeated < 0.5
