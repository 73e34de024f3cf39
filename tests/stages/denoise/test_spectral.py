"""Spectral enhancement: gains against the published formula, and a noise floor that follows."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expi

from curation.stages.denoise.spectral import Spectral, estimate_gains, track_noise
from tests.support.dummies import mix, noise, speech


def test_steady_noise_is_found_whatever_its_level():
    generator = np.random.default_rng(0)
    power = generator.exponential(1.0, (600, 40)) * np.linspace(0.1, 10, 40)
    error = 10 * np.log10(track_noise(power) / np.linspace(0.1, 10, 40))
    np.testing.assert_allclose(error[0], 0, atol=6)  # from the first frame on
    np.testing.assert_allclose(error[300:].mean(axis=0), 0, atol=1.5)


def test_the_floor_follows_noise_that_becomes_louder():
    """Within two seconds: 250 frames of 8 ms."""
    generator = np.random.default_rng(0)
    power = generator.exponential(1.0, (1000, 40))
    power[500:] *= 100
    estimate = track_noise(power)
    assert 10 * np.log10(estimate[450:500].mean()) == pytest.approx(0, abs=1.5)
    assert 10 * np.log10(estimate[900:].mean()) == pytest.approx(20, abs=1.5)


def test_bursts_are_not_taken_for_noise():
    generator = np.random.default_rng(0)
    power = generator.exponential(1.0, (600, 40))
    power[200:230] *= 1000
    assert 10 * np.log10(track_noise(power)[200:230].mean()) < 15  # of 30


def test_gain_is_that_of_ephraim_and_malah_and_never_below_20_db():
    """In a steady bin: prior and gain find each other, G = prior / (1 + prior) exp(E1(v) / 2)."""
    power = np.ones((400, 3))
    power[:, 1] = 1.0
    power[200:, 2] = 50.0
    gains = estimate_gains(power)
    assert gains.min() >= 0.1 - 1e-9
    ratio = 50.0 / track_noise(power)[205, 2]
    speech_before = min(gains[204, 2], 1) ** 2 * 50.0 / track_noise(power)[204, 2]
    prior = 0.98 * speech_before + 0.02 * max(ratio - 1, 0)
    wiener = prior / (1 + prior)
    integral, _ = quad(lambda t: math.exp(-t) / t, wiener * ratio, np.inf)
    assert gains[205, 2] == pytest.approx(min(wiener * math.exp(integral / 2), 1), rel=1e-6)


def test_20_db_of_pure_noise_go_and_loud_speech_stays():
    hiss = (0.01 * noise(4.0)).astype(np.float32)
    left = Spectral().denoise(hiss)
    assert 20 * np.log10(np.std(left[32_000:]) / np.std(hiss[32_000:])) == pytest.approx(-20, abs=3)
    clean = speech(4.0, 4.0)
    assert np.corrcoef(Spectral().denoise(clean), clean)[0, 1] > 0.98


def test_a_quiet_recording_is_treated_as_a_loud_one():
    wave = mix(speech(3.0, 4.0), noise(3.0), 10)
    soft = Spectral().denoise((wave * 1e-3).astype(np.float32))
    np.testing.assert_allclose(soft * 1e3, Spectral().denoise(wave), atol=1e-3 * np.abs(wave).max())


def test_gains_are_those_of_the_recursion_bin_by_bin():
    """A plain loop over the formulas of Ephraim and Malah, with the exponential integral by another function."""
    generator = np.random.default_rng(3)
    power = generator.exponential(1.0, (120, 4)) * np.where(generator.random((120, 1)) < 0.3, 30.0, 1.0)
    noise_power = track_noise(power)
    expected = np.zeros_like(power)
    for column in range(4):
        before = 1.0
        for frame in range(120):
            ratio = min(power[frame, column] / noise_power[frame, column], 1000.0)
            prior = max(0.98 * before + 0.02 * max(ratio - 1, 0), 10**-2.5)
            wiener = prior / (1 + prior)
            gain = wiener * math.exp(-0.5 * expi(-wiener * ratio))
            before = min(gain, 1.0) ** 2 * ratio
            expected[frame, column] = min(max(gain, 0.1), 1.0)
    assert (expected == 1).any()
    np.testing.assert_allclose(estimate_gains(power), expected, rtol=1e-9)
