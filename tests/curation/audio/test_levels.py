"""Levels of a wave against their definitions, sample by sample; `wave.py` says what a wave is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.levels import CEILING, centred, frame_energy, levelled, peak_normalize, quietest
from curation.audio.wave import SAMPLE_RATE
from tests.support.real_speech import librivox


def plain_energy(wave):
    """10 ms frames, each with 5 ms more on both sides where there is any."""
    levels = []
    for start in range(0, len(wave), 160):
        window = wave[max(start - 80, 0) : min(start + 240, len(wave))].astype(np.float64)
        levels.append(10 * np.log10(max(np.mean(window**2), 1e-10)))
    return levels


@pytest.mark.parametrize("length", [0, 1, 79, 160, 161, 400, 16_000, 31_999])
def test_energy_is_the_mean_power_of_20_ms_around_each_10_ms(length):
    wave = librivox()[0][8000 : 8000 + length]
    np.testing.assert_allclose(frame_energy(wave), plain_energy(wave), atol=1e-6)


def test_full_scale_is_0_db_and_silence_100_below():
    assert SAMPLE_RATE == 16_000
    np.testing.assert_allclose(frame_energy(np.ones(1600, np.float32)), 0, atol=1e-9)
    np.testing.assert_allclose(frame_energy(np.full(1600, 0.1, np.float32)), -20, atol=1e-5)
    np.testing.assert_array_equal(frame_energy(np.zeros(1600, np.float32)), -100)


def test_the_quietest_50_ms_of_the_end_by_trying_all():
    wave = librivox()[0]
    for search in (0.1, 0.5, 1.5):
        count = round(search * SAMPLE_RATE)
        first = len(wave) - count
        starts = range(first, len(wave) - 800 + 1, 160)
        best = min(starts, key=lambda start: float(np.sum(wave[start : start + 800].astype(np.float64) ** 2)))
        assert quietest(wave, count) == best + 400


def test_no_place_is_sought_where_there_is_none():
    wave = librivox()[0]
    assert quietest(wave, 799) == len(wave)
    assert quietest(wave, 0) == len(wave)
    assert quietest(wave[:700], 10_000) == 700
    assert quietest(wave[:800], 10_000) == 400


@given(st.lists(st.floats(-1, 1, width=32), max_size=50), st.floats(0.01, 1))
def test_normalising_scales_and_nothing_else(values, peak):
    wave = np.array(values, np.float32)
    before = wave.copy()
    out = peak_normalize(wave, peak)
    np.testing.assert_array_equal(wave, before)
    assert out is not wave
    loudest = np.abs(before).max(initial=0)
    if loudest == 0:
        np.testing.assert_array_equal(out, before)
    else:
        np.testing.assert_allclose(out, before.astype(np.float64) / loudest * peak, rtol=1e-5, atol=1e-12)


def test_the_peak_of_published_audio_is_0_6():
    assert np.abs(peak_normalize(librivox()[1])).max() == pytest.approx(0.6, abs=1e-7)


@pytest.mark.parametrize("sizes", [[], [1, 0, 5000, 400]])
def test_a_constant_part_goes_and_speech_stays(sizes):
    speech = 0.5 * librivox()[0]
    wave = np.asarray(speech + 0.3, np.float32)
    parts = np.split(wave, np.cumsum(sizes, dtype=np.int64))
    chunks = list(levelled(parts))
    assert [len(chunk) for chunk in chunks] == [len(part) for part in parts]
    assert {chunk.dtype for chunk in chunks} == {np.dtype(np.float32)}
    out = np.concatenate(chunks)
    np.testing.assert_array_equal(out, next(levelled([wave])))
    settled = slice(SAMPLE_RATE // 4, None)
    assert abs(out[settled].mean()) < 1e-4
    assert np.corrcoef(out[settled], speech[settled])[0, 1] > 0.98
    tone = np.sin(2 * np.pi * 80 / SAMPLE_RATE * np.arange(SAMPLE_RATE), dtype=np.float32)
    assert np.ptp(next(levelled([0.5 * tone]))[4000:]) == pytest.approx(1, abs=0.04)  # the lowest of voices


def test_nothing_leaves_the_ceiling():
    loud = 4 * librivox()[0]
    out = next(levelled([loud]))
    assert np.abs(out).max() == np.float32(CEILING)
    assert len(next(levelled([loud[:0]]))) == 0


def test_a_constant_part_goes_and_what_has_none_stays_as_it_is():
    wave = librivox()[0]
    np.testing.assert_allclose(centred(wave + np.float32(0.2)), wave - wave.mean(), atol=1e-6)
    assert centred(wave) is wave
    assert centred(wave[:0]).shape == (0,)
    short = np.full(SAMPLE_RATE - 1, 0.5, np.float32)
    assert centred(short) is short
    assert np.isnan(centred(np.full(SAMPLE_RATE, np.nan, np.float32))).all()
