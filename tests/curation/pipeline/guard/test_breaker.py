"""A broken ASR system makes utterances `failed`, to be retried; where most are, the build stops with the error."""

import json

import pytest

from curation.core.errors import ModelError
from curation.manifests.error_rates import ErrorRate
from curation.pipeline.guard.breaker import MIN_CALLS, Breaker
from tests.support.builds import count, rows, toy_build, toy_config, write_recordings
from tests.support.commands import curation
from tests.support.faults.systems import Parrot, transcribing_stages


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("in"), ["alpha", "beta"])


@pytest.fixture(autouse=True)
def broken(monkeypatch):
    names: set[str] = set()
    monkeypatch.setattr(Parrot, "broken", names)
    return names


def outcome(out):
    """Seconds by status of what is speech."""
    found = {}
    for row in rows(out, "ledger"):
        key = row["status"], row["reason"] or ""
        found[key] = found.get(key, 0) + row["end_sample"] - row["start_sample"]
    return found


@pytest.mark.parametrize("names", [{"a"}, pytest.param({"a", "b"}, marks=pytest.mark.slow), {"a", "b", "c"}])
def test_utterances_of_a_broken_system_fail_and_a_retry_mends_them(recordings, sound, tmp_path, broken, names):
    out = tmp_path / "out"
    broken |= names
    summary = toy_build(recordings, out, make_stages=transcribing_stages)
    kept = sound["kept", ""]
    expected = {key: value for key, value in sound.items() if key[0] != "kept"} | {("failed", "transcribe"): kept}
    assert outcome(out) == expected
    failed = [row["detail"] for row in rows(out, "ledger") if row["status"] == "failed"]
    assert set(failed) == {"; ".join(f"{name}: RuntimeError: CUDA out of memory" for name in sorted(names))}
    for name in "abc":
        rate = summary.errors[f"transcribe.{name}"]
        assert (rate.calls, rate.errors) == (len(failed), len(failed) if name in names else 0)
    assert "transcribe.german" not in summary.errors
    broken.clear()
    mended = toy_build(recordings, out, make_stages=transcribing_stages, retry_failed=True)
    assert mended.failed_recordings == 0
    assert outcome(out) == sound


@pytest.fixture(scope="module")
def sound(recordings, tmp_path_factory):
    """The outcome of a build with sound systems."""
    out = tmp_path_factory.mktemp("sound") / "out"
    toy_build(recordings, out, make_stages=transcribing_stages)
    found = outcome(out)
    assert found["kept", ""] > 0
    assert all(status != "failed" for status, _ in found)
    return found


def test_the_summary_names_the_system_and_its_error(recordings, tmp_path, broken):
    broken.add("b")
    toy_build(recordings, tmp_path / "out", make_stages=transcribing_stages)
    shown = curation("summary", tmp_path / "out").stdout
    errors = json.loads((tmp_path / "out/summary.json").read_text())["errors"]["transcribe.b"]
    number = f"{errors['errors']} of {errors['calls']}"
    assert f"transcribe.b: {number} failed in the label pass, e.g. RuntimeError: CUDA out of memory" in shown
    assert "transcribe.a" not in shown


def test_a_build_stops_where_a_system_breaks_on_most(tmp_path, broken, monkeypatch):
    monkeypatch.setattr("curation.pipeline.guard.breaker.MIN_CALLS", 10)
    broken.add("c")
    folder = write_recordings(tmp_path / "in", [f"r{number}" for number in range(5)])
    with pytest.raises(ModelError, match=r"transcribe\.c broke on (\d+) of \1 utterances.*CUDA out of memory"):
        toy_build(folder, tmp_path / "out", toy_config(unit_files=1), make_stages=transcribing_stages)
    assert not (tmp_path / "out/ledger").exists()
    broken.clear()
    again = toy_build(folder, tmp_path / "out", toy_config(unit_files=1), make_stages=transcribing_stages)
    assert again.failed_recordings > 0  # what was committed before it stopped
    toy_build(folder, tmp_path / "out", toy_config(unit_files=1), make_stages=transcribing_stages, retry_failed=True)
    assert count(tmp_path / "out", "failed") == 0


def test_a_build_stops_where_a_stage_raises_on_most():
    breaker = Breaker(0.2)
    for _ in range(MIN_CALLS - 1):
        breaker.add({"recording": ErrorRate(1, 1, "denoise: RuntimeError: cuDNN")})
    with pytest.raises(ModelError, match=r"stages broke on 100 of 100 recordings.*denoise: RuntimeError: cuDNN"):
        breaker.add({"recording": ErrorRate(1, 0)} | {"recording": ErrorRate(1, 1, "denoise: RuntimeError: cuDNN")})


@pytest.mark.parametrize(("errors", "stops"), [(20, False), (21, True)])
def test_errors_up_to_the_share_are_tolerated(errors, stops):
    breaker = Breaker(0.2)
    breaker.add({"transcribe.a": ErrorRate(MIN_CALLS - 30, 0)})
    rest = {"transcribe.a": ErrorRate(30, errors, "odd")}
    if stops:
        with pytest.raises(ModelError, match=r"transcribe\.a broke on 21 of 100 utterances"):
            breaker.add(rest)
    else:
        breaker.add(rest)
