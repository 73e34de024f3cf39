"""Errors are counted by ASR system, and by recording where a stage raised."""

from curation.manifests.error_rates import ErrorRate, add_rates, error_rates
from curation.manifests.records import Hypothesis, Recording, Segment, Source, Verdict, fail


def recording(*errors, verdict=None):
    heard = [[Hypothesis("a", "x"), Hypothesis("b", "", error=error)] for error in errors]
    segments = [Segment(place, place + 1, hypotheses=item) for place, item in enumerate(heard)]
    return Recording(Source("r", "r.wav"), segments=segments, verdict=verdict)


def test_each_system_counts_what_it_got():
    found = error_rates([recording("", "odd"), recording("later")])
    assert found == {
        "recording": ErrorRate(2, 0),
        "transcribe.a": ErrorRate(3, 0),
        "transcribe.b": ErrorRate(3, 2, "later"),
    }
    assert found["transcribe.b"].fraction == 2 / 3


def test_what_never_reached_a_stage_does_not_count():
    unread = [recording(verdict=fail(stage, "x")) for stage in ("decode", "worker", "conservation")]
    silent = recording(verdict=Verdict("rejected", "decode.min_peak"))
    broken = recording(verdict=fail("denoise", ValueError("no")))
    assert error_rates([*unread, silent, broken]) == {"recording": ErrorRate(1, 1, "denoise: ValueError: no")}


def test_counts_add_up_and_the_latest_example_stays():
    total = {"a": ErrorRate(2, 1, "first"), "b": ErrorRate(1, 0)}
    add_rates(total, {"a": ErrorRate(3, 0), "c": ErrorRate(1, 1, "new")})
    assert total == {"a": ErrorRate(5, 1, "first"), "b": ErrorRate(1, 0), "c": ErrorRate(1, 1, "new")}
    add_rates(total, {"a": ErrorRate(1, 1, "second")})
    assert total["a"] == ErrorRate(6, 2, "second")
