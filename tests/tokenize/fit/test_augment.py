"""Versions of clips for fitting: how many, how loud, and what a channel does to them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.tokenize.fit.augment import (
    MAX_SECONDS,
    MIN_SAMPLES,
    PERTURB_SHIFT,
    SPEED_RANGE,
    perturbed,
    through_channel,
    varied,
)


def noise(samples, seed=0):
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


@settings(max_examples=6)  # each makes up to a minute of audio
@given(seconds=st.floats(0.6, 20), copies=st.integers(0, 2), channels=st.integers(0, 2))
def test_every_piece_gives_each_of_its_versions(seconds, copies, channels):
    wave = noise(round(seconds * SAMPLE_RATE))
    versions = list(varied([wave], copies, channels, seed=1))
    pieces = [
        wave[start : start + MAX_SECONDS * SAMPLE_RATE] for start in range(0, len(wave), MAX_SECONDS * SAMPLE_RATE)
    ]
    assert len(versions) == (copies + channels) * sum(len(piece) > MIN_SAMPLES for piece in pieces)
    longest = MAX_SECONDS * SAMPLE_RATE * np.exp(SPEED_RANGE) + 2
    assert all(version.dtype == np.float32 and len(version) <= longest for version in versions)
    assert all(0.2 < np.abs(version).max() < 0.7 for version in versions)


def test_the_same_seed_gives_the_same_versions():
    waves = [noise(20_000), noise(9000)]
    first, again, other = (list(varied(waves, 1, 1, seed)) for seed in (3, 3, 4))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_silence_and_snippets_are_left_out():
    assert not list(varied([np.zeros(SAMPLE_RATE, np.float32), noise(SAMPLE_RATE // 2 - 1)], 2, 1, seed=0))


def test_half_of_the_channels_are_as_narrow_as_a_telephone():
    wave = noise(SAMPLE_RATE)
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    high = hertz > 5000
    drops = []
    for seed in range(40):
        heard = through_channel(wave, np.random.default_rng(seed))
        assert len(heard) == len(wave)
        before, after = (np.abs(np.fft.rfft(one)[high]).mean() for one in (wave, heard))
        drops.append(20 * np.log10(after / before))
    narrow = sum(drop < -30 for drop in drops)
    assert 10 <= narrow <= 30
    assert all(abs(drop) <= 8.5 for drop in drops if drop >= -30)


def test_a_perturbed_copy_is_the_same_sound_a_little_later():
    wave = 0.3 * noise(SAMPLE_RATE)
    found = perturbed(wave, np.random.default_rng(0))
    later = len(wave) - len(found)
    assert 1 <= later <= PERTURB_SHIFT
    assert found.dtype == np.float32
    gain = np.vdot(found, wave[later:]) / np.vdot(wave[later:], wave[later:])
    assert 10 ** (-2 / 20) - 0.01 < gain <= 1.01
    assert np.std(found - gain * wave[later:]) < 10 ** (-45 / 20) * 1.05
