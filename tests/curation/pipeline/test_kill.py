"""Killing anything at any moment loses nothing and doubles nothing."""

import pytest

from curation.manifests import plan
from tests.support.faults import publish_kills
from tests.support.kill_harness import STOPS, torture


def test_same_rows_after_the_session_was_killed(tmp_path):
    """The driver with all its workers, while recordings are labelled; `test_edition` kills the publish pass.

    Another process goes on without Ray: what is done is in the files alone.
    """
    outcome = torture(1, 12, tmp_path, seed=1, last="in-process")
    assert outcome.stops == [("session", "label")]
    assert outcome.same
    assert outcome.repeated < 0.9


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_same_rows_after_many_kills(tmp_path):
    outcome = torture(30, 60, tmp_path)
    assert set(outcome.stops) == set(STOPS)
    assert outcome.same
    assert outcome.repeated < 0.5


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_readers_see_the_old_or_the_new_corpus_after_many_kills(tmp_path, monkeypatch):
    """Of publish passes over a corpus that is there, with real processes and SIGKILL."""
    monkeypatch.setattr(plan, "UNITS_PER_PART", 1)
    found = publish_kills.torture(30, 18, tmp_path, verbose=True)
    assert set(found.ways) == set(publish_kills.WAYS)
    assert not found.seen["neither"]
    assert found.clean
