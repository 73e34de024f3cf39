"""Seconds inside models, and times of stages added up."""

import time

import pytest

from curation.core.timing import StageTimes, inside_model, take_model_seconds


def test_seconds_are_counted_by_model_until_they_are_taken():
    take_model_seconds()
    for name in ("asr.one", "asr.two", "asr.one"):
        with inside_model(name):
            time.sleep(0.01)
    seconds = take_model_seconds()
    assert set(seconds) == {"asr.one", "asr.two"}
    assert seconds["asr.one"] >= 0.02
    assert take_model_seconds() == {}


def test_a_model_that_raises_has_its_time_counted():
    take_model_seconds()
    with pytest.raises(RuntimeError), inside_model("asr.one"):
        raise RuntimeError
    assert set(take_model_seconds()) == {"asr.one"}


def test_times_add_up_and_the_higher_peak_counts():
    times = StageTimes({"decode": 1.0}, {"asr.one": 0.5}, 200)
    times.add(StageTimes({"decode": 2.0, "cut": 4.0}, {"asr.two": 0.25}, 100))
    assert times == StageTimes({"decode": 3.0, "cut": 4.0}, {"asr.one": 0.5, "asr.two": 0.25}, 200)
    assert StageTimes.from_json(times.to_json()) == times
