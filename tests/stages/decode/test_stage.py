"""Decode: spans, what becomes of each second, and memory."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.levels import ENERGY_WINDOW, quietest
from curation.audio.wave import SAMPLE_RATE
from tests.support.decoded import SPEECH, decode, only, total_seconds
from tests.support.dummies import encode, mix, noise, tone, write_wav


def test_spans_are_cut_in_pauses(tmp_path):
    beat = np.concatenate([tone(0.8, 200), np.zeros(3200, np.float32)])  # a second of tone with a pause at its end
    path = write_wav(tmp_path / "a.wav", np.tile(beat, 20))
    rows = decode(path, max_span_seconds=5.5, span_search_seconds=2.0)
    assert len(rows) >= 4
    for row in rows[:-1]:
        assert row.num_samples <= 5.5 * SAMPLE_RATE
        assert 0.8 < row.end / SAMPLE_RATE % 1 < 1.0
    np.testing.assert_array_equal(np.concatenate([row.audio for row in rows]), only(decode(path)).audio)


@given(
    length=st.integers(1, 60_000),
    limit=st.floats(1.0, 2.0),
    search=st.floats(0.0, 3.0),
    seed=st.integers(0, 100),
)
def test_spans_are_contiguous_and_complete(tmp_path, length, limit, search, seed):
    wave = np.clip(noise(4.0, seed)[:length] * 0.1 + 0.01, -1, 1)
    path = write_wav(tmp_path / "a.wav", wave)
    rows = decode(path, max_span_seconds=limit, span_search_seconds=search)
    assert sum(row.num_samples for row in rows) == length
    assert all(0 < row.num_samples <= round(limit * SAMPLE_RATE) for row in rows)
    expected, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(np.concatenate([row.audio for row in rows]), expected)


def test_quietest_place_lies_within_the_search():
    wave = np.concatenate([noise(1.0), np.zeros(ENERGY_WINDOW, np.float32), noise(0.5, 1)])
    assert quietest(wave, 16_000) == 16_000 + ENERGY_WINDOW // 2
    assert 20_000 <= quietest(wave, len(wave) - 20_000) <= len(wave)
    assert quietest(wave, 0) == len(wave)


def test_memory_is_bounded_by_a_span(tmp_path):
    """Twenty minutes take no more memory than a minute: as samples they are 73 MiB.

    It is read in a process of its own; Linux counts the memory of this one into the `ru_maxrss` of its children.
    """
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 8_000, 1, "PCM_16") as file:
        minute = mix(tone(60.0, rate=8_000), noise(60.0, rate=8_000), 20)
        for _ in range(20):
            file.write(minute)
    code = (
        "import re, sys; from curation.manifests.records import Source\n"
        "from curation.stages.decode.stage import *\n"
        "config = DecodeConfig(max_span_seconds=60.0); peaks = []\n"
        "for row in decode_spans(Source('a', sys.argv[1]), config):\n"
        "    peaks.append(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024)\n"
        "assert row.last and row.end == 1200 * 16000, row\n"
        "print(peaks[1], peaks[-1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "long.wav"], capture_output=True, text=True, check=True
    )
    early, late = map(float, done.stdout.split())
    assert late - early < 50, (early, late)


def test_every_setting_of_spans_does_something(tmp_path):
    wave = np.concatenate([tone(2.0), tone(1.0, peak=0.01), tone(3.0)])
    path = write_wav(tmp_path / "a.wav", wave)
    assert len(decode(path)) == 1
    first = decode(path, max_span_seconds=4.0, span_search_seconds=3.0)[0]
    assert 2.0 <= total_seconds([first]) <= 3.0  # the quiet second
    assert total_seconds([decode(path, max_span_seconds=4.0, span_search_seconds=0.0)[0]]) == 4.0
    assert [row.verdict for row in decode(path, min_peak=0.4)] == [None]
    assert only(decode(path, min_peak=0.6)).verdict.reason == "decode.min_peak"


def test_a_silent_span_says_how_silent(tmp_path):
    row = only(decode(write_wav(tmp_path / "a.wav", tone(1.0, peak=0.25), subtype="FLOAT"), min_peak=0.5))
    assert row.verdict.value == pytest.approx(0.25, abs=1e-3)
    assert row.verdict.threshold == 0.5


def test_a_span_that_is_cut_begins_where_the_one_before_ends(tmp_path):
    """Nothing is lost or heard twice, whatever blocks the decoder gives."""
    path = encode(tmp_path / "a.flac", SPEECH, "flac", 44_100)
    whole = only(decode(path)).audio
    rows = decode(path, max_span_seconds=1.3, span_search_seconds=0.4)
    np.testing.assert_array_equal(np.concatenate([row.audio for row in rows]), whole)
    assert [row.original is row.audio for row in rows] == [True] * len(rows)


def test_a_constant_part_of_the_recording_is_no_sound(tmp_path):
    """With it no pause is quiet, and every edge of an utterance seems to cut a word."""
    wave = 0.25 * SPEECH / np.abs(SPEECH).max()
    row = only(decode(write_wav(tmp_path / "a.wav", wave + np.float32(0.3), subtype="FLOAT")))
    np.testing.assert_allclose(row.audio, wave - wave.mean(), atol=1e-5)
    silence = np.full(SAMPLE_RATE, 0.3, np.float32)
    row = only(decode(write_wav(tmp_path / "b.wav", silence, subtype="FLOAT")))
    assert row.verdict.reason == "decode.min_peak"
