"""Signal-to-noise ratio, bandwidth and clipping of real speech that was spoiled by a known amount."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.audio.quality import bandwidth_hz, clipped_share, snr_db
from curation.audio.wave import SAMPLE_RATE
from tests.support.dummies import mix, noise, speech
from tests.support.real_speech import librivox

QUIET = librivox()[0]
"""A sentence recorded at 25 dB."""


def pink(seconds):
    spectrum = np.fft.rfft(noise(seconds, seed=1))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), round(seconds * SAMPLE_RATE))


@settings(max_examples=25, deadline=None)
@given(st.floats(-5, 20), st.booleans(), st.integers(0, 4))
def test_noise_that_was_added_is_measured(decibels, is_pink, sentence):
    wave = librivox()[sentence]
    seconds = len(wave) / SAMPLE_RATE
    added = (pink(seconds) if is_pink else noise(seconds, seed=sentence))[: len(wave)]
    assert snr_db(mix(wave, added, decibels)) == pytest.approx(decibels, abs=4.0)


def test_the_ratio_depends_on_nothing_else():
    noisy = mix(QUIET, noise(10.0)[: len(QUIET)], 10.0)
    found = snr_db(noisy)
    assert snr_db(0.01 * noisy) == pytest.approx(found, abs=0.01)
    assert snr_db(np.tile(noisy, 2)) == pytest.approx(found, abs=0.5)
    assert snr_db(QUIET) > 20


@pytest.mark.parametrize("samples", [0, 1, 300, 5000])
def test_silence_and_the_shortest_audio_have_values(samples):
    silence = np.zeros(samples, np.float32)
    assert (snr_db(silence), bandwidth_hz(silence), clipped_share(silence)) == (-10.0, 0.0, 0.0)
    spoken = QUIET[8000 : 8000 + samples]
    assert -10 <= snr_db(spoken) <= 60
    assert 0 <= bandwidth_hz(spoken) <= 8000
    assert 0 <= clipped_share(spoken) <= 1


@pytest.mark.parametrize("rate", [4000, 6000, 8000, 11_025, 12_000])
def test_the_spectrum_ends_where_another_sample_rate_ended_it(rate):
    for wave in (speech(5.0), QUIET):
        narrow = soxr.resample(soxr.resample(wave, SAMPLE_RATE, rate), rate, SAMPLE_RATE)
        assert bandwidth_hz(narrow) == pytest.approx(rate / 2, rel=0.08)
        assert bandwidth_hz(wave) > 7000


@pytest.mark.parametrize(("share", "least"), [(0.01, 0.001), (0.05, 0.015)])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_what_was_clipped_is_found_at_whatever_rate(share, least, rate):
    for wave in (speech(5.0), QUIET):
        full = soxr.resample(wave, SAMPLE_RATE, rate, quality="VHQ") if rate != SAMPLE_RATE else wave
        level = np.quantile(np.abs(full), 1 - share)
        clipped = np.clip(full, -level, level)
        back = soxr.resample(clipped, rate, SAMPLE_RATE, quality="VHQ") if rate != SAMPLE_RATE else clipped
        assert least < clipped_share(back) < 1.5 * share
        assert clipped_share(wave) < 0.0005


@pytest.mark.parametrize("hertz", [20, 50, 100, 150, 250])
def test_the_round_tops_of_hum_are_not_clipped_and_flat_ones_are(hertz):
    time = np.arange(len(QUIET)) / SAMPLE_RATE
    hum = np.float32(0.3) * np.sin(2 * np.pi * hertz * time).astype(np.float32)
    spoken = hum + QUIET * (0.3 / np.abs(QUIET).max())
    level = np.quantile(np.abs(spoken), 0.97)
    assert clipped_share(hum) == 0
    assert clipped_share(spoken) < 0.001
    assert 0.01 < clipped_share(np.clip(spoken, -level, level)) < 0.03


@pytest.mark.parametrize("samples", [160, 800, 1600, 16_000])
def test_short_noise_has_the_lowest_ratio_that_is_given(samples):
    assert -10 <= snr_db(noise(1.0)[:samples]) < 0
