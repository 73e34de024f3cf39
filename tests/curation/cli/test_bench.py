"""`curation bench serve`, and the measurements that it shows."""

import json
import threading
import time
from dataclasses import asdict

import numpy as np
import pytest

from curation.train.evaluate import serving
from curation.train.infer.streaming import Chunking
from tests.support.commands import curation, message
from tests.support.real_speech import librivox

pytestmark = pytest.mark.usefixtures("short_speech")

QUICK = ("bench", "serve", "--concurrency", 1, "--rounds", 1)


def check(loads, expected, names):
    assert [(load.concurrency, load.requests) for load in loads] == expected
    for load in loads:
        assert list(load.figures) == names
        for figure in load.figures.values():
            assert 0 < figure.p50 <= figure.p99
            assert figure.mean > 0
        assert 0 <= load.underruns <= load.requests
        assert (load.dry_seconds > 0) == (load.underruns > 0)


def test_a_player_waits_for_what_comes_too_late():
    """One second of sound at 1 s, 2 s, and 3.5 s: it is played from 1 s to 3 s, and from 3.5 s on."""
    assert serving.Served((1.0, 2.0, 3.5), (10, 10, 10), 3.5).stalled(10) == pytest.approx(0.5)
    assert serving.Served((1.0, 1.1, 1.2, 4.5), (10, 10, 10, 10), 4.5).stalled(10) == pytest.approx(0.5)
    assert serving.Served((1.0, 1.5, 2.5), (10, 10, 10), 2.5).stalled(10) == 0


def test_many_clients_are_served_at_once(model):
    voice, chunking, waves = librivox()[0][:32_000], Chunking(look_ahead=4), [librivox()[0][:9_000]]
    loads = [serving.serve_speech(model, voice, 2, 2, chunking, ["Hi.", "Yes."])]
    check(loads, [(2, 4)], ["first_chunk_ms", "real_time_factor", "audio_seconds"])
    loads = [serving.serve_transcription(model, waves, count, 2) for count in (1, 3)]
    check(loads, [(1, 2), (3, 6)], ["first_text_ms", "total_ms"])
    assert all(load.figures["first_text_ms"].p50 <= load.figures["total_ms"].p50 for load in loads)


class Late:
    """A model whose second chunk comes later than the first one lasts, for the text "late"."""

    def __init__(self):
        self.voices = []

    def speak_stream(self, text, voice, *, chunking):  # noqa: ARG002 - the model's name for it
        self.voices.append(voice)
        yield np.zeros(160 if text == "late" else 16_000_000, np.float32)
        time.sleep(0.02)
        yield np.zeros(160, np.float32)


def test_requests_in_which_a_player_runs_dry_are_counted():
    late, voice = Late(), np.zeros(9, np.float32)
    load = serving.serve_speech(late, voice, 1, 4, Chunking(), ["late", "early"])
    assert (load.requests, load.underruns) == (4, 2)
    assert load.dry_seconds >= 2 * 0.01
    assert load.figures["audio_seconds"].mean == pytest.approx(500.015)
    assert all(given is voice for given in late.voices)  # encoded in each request


def test_a_model_that_says_nothing_has_no_figures():
    class Silent:
        def transcribe_stream(self, wave):  # noqa: ARG002 - the model's name for it
            return iter(())

    load = serving.serve_transcription(Silent(), [np.zeros(9, np.float32)], 1, 2)
    assert (load.requests, load.empty) == (2, 2)
    assert json.loads(json.dumps(asdict(load), allow_nan=False))["figures"]["total_ms"]["mean"] is None
    assert {column.of(load) for column in serving.TABLE_2} == {"-"}


def test_a_failing_client_raises(model):
    with pytest.raises(ValueError, match=r"not int32 of shape \(3,\)"):
        serving.serve_speech(model, np.zeros(3, np.int32), 2, 1, Chunking(), ["Hi."])


def test_clients_end_where_the_machine_has_no_thread_for_all(monkeypatch):
    start, begun = threading.Thread.start, []

    def third_fails(thread):
        if len(begun) == 2:
            msg = "can't start new thread"
            raise RuntimeError(msg)
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", third_fails)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        serving.serve_speech(Late(), np.zeros(9, np.float32), 4, 1, Chunking())
    for thread in begun:
        thread.join(30)
        assert not thread.is_alive()


def test_bench_serve_fills_both_tables(checkpoint, clips):
    tables = json.loads(curation(*QUICK, checkpoint, "--audio", clips / "a.wav", "--json").stdout)
    assert list(tables) == ["model", "speech", "text"]
    assert list(tables["speech"][0]["figures"]["real_time_factor"]) == ["mean", "p50", "p99"]


def test_tables_are_results_and_whole_in_a_file(checkpoint, clips):
    told = curation(*QUICK, checkpoint, "--audio", clips / "a.wav", "--first-look-ahead", 0).stdout
    assert told.count("Concurrency") == 2
    for title in ("P99 TTFC (ms)", "Avg RTF", "Audio Dur (s)", "Underruns", "P50 TTFT (ms)", "Avg Total (ms)"):
        assert title in told
    assert "…" not in told


@pytest.mark.parametrize("text", ["", "1,x", "0", "1,-2"])
def test_numbers_of_clients_that_are_none_are_refused_before_the_model_is_opened(text, tmp_path):
    told = message(curation("bench", "serve", tmp_path / "none", "--concurrency", text, code=2))
    assert f"--concurrency {text}: expected numbers" in told
