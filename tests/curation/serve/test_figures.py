"""Figures of a server say what was answered, and nothing of what failed."""

import pytest

from curation.serve import figures as module
from curation.serve.admission import Admission
from curation.serve.figures import MOST_ERRORS, Figures


def values(figures):
    lines = figures.text().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line.startswith("curation_serve"))


def test_times_of_blocks_that_failed_are_not_observed():
    figures = Figures(Admission(2, 3))
    with figures.timed(figures.first, "speech"):
        pass
    with pytest.raises(OSError, match="gone"), figures.timed(figures.first, "speech"):
        raise OSError("gone")  # noqa: EM101
    found = values(figures)
    assert found['curation_serve_first_seconds_count{endpoint="speech"}'] == "1.0"
    assert found['curation_serve_first_seconds_bucket{endpoint="speech",le="60.0"}'] == "1.0"
    assert not [name for name in found if name.startswith("curation_serve_whole_seconds_count")]


def test_two_servers_of_a_process_have_figures_of_their_own():
    one, other = (Figures(Admission(2, 3)) for _ in range(2))
    one.count("speech", 200, asks=True)
    assert 'curation_serve_requests_total{endpoint="speech",status="200"}' in values(one)
    assert not [name for name in values(other) if "requests_total" in name]
    assert values(one)["curation_serve_held"] == "0.0"


def test_a_server_that_only_fails_is_not_healthy_until_it_answers_or_is_left_alone(monkeypatch):
    figures = Figures(Admission(2, 3))
    for _ in range(MOST_ERRORS):
        assert figures.health[1] == 200
        figures.count("speech", 422, asks=True)  # a mistake of the client
        figures.count("speech", 500, asks=True)
    assert figures.health[1] == 503
    figures.count("models", 200, asks=False)
    assert figures.health[1] == 503
    figures.count("speech", 200, asks=True)
    assert figures.health[1] == 200
    for _ in range(MOST_ERRORS):
        figures.count("/health", 503, asks=False)  # what it said itself keeps it in no state
    assert figures.health[1] == 200
    for _ in range(MOST_ERRORS):
        figures.count("speech", 502, asks=True)
    assert figures.health[1] == 503
    monkeypatch.setattr(module, "FORGOTTEN", 0.0)
    assert figures.health[1] == 200
