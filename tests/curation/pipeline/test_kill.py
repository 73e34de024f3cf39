"""Killing anything at any moment loses nothing and doubles nothing."""

import pytest

from tests.support.kill_harness import torture


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_same_rows_after_kills(tmp_path, kills):
    outcome = torture(kills, 24 if kills < 10 else 60, tmp_path)
    assert outcome.kills >= kills
    assert outcome.same
    assert outcome.repeated < 0.5
