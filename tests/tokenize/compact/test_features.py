"""Input features of the compact tokenizers on waves whose spectrum and pitch are known."""

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.tokenize.compact.features import FLOOR, HOP, NUM_MELS, frames, log_mel, mel_filters, pitch


def tone(hertz, seconds=0.5, harmonics=1):
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, harmonics + 1))
    return (0.2 * wave).astype(np.float32)


def test_frames_are_centred_and_padded_with_zeros():
    wave = np.arange(1, 801, dtype=np.float32)
    found = frames(wave, 6, 320)
    assert found.shape == (6, 320)
    around = np.concatenate([np.zeros(400), wave, np.zeros(600)])
    for j, row in enumerate(found):
        centre = 400 + HOP * j + HOP // 2
        assert row.tolist() == around[centre - 160 : centre + 160].tolist()


@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_a_tone_is_loudest_in_its_own_band(hertz):
    mel = log_mel(tone(hertz), 40)
    assert mel.shape == (40, NUM_MELS)
    weights = mel_filters()
    own = weights[:, round(hertz * (weights.shape[1] - 1) / (SAMPLE_RATE / 2))].argmax()
    assert np.all(np.abs(mel[2:-2].argmax(axis=1) - own) <= 1)


def test_silence_is_the_floor():
    assert np.allclose(log_mel(np.zeros(1600, np.float32), 10), np.log(FLOOR))


@pytest.mark.parametrize("hertz", [90, 150, 310])
def test_the_pitch_of_a_voice_is_its_fundamental(hertz):
    """Within half a step of the grid of 24 an octave; harmonics are stronger than any octave error allows for."""
    log_f0, voiced = pitch(tone(hertz, harmonics=10), 50)
    assert voiced[3:-3].all()
    assert np.abs(log_f0[5:-5] - np.log(hertz)).max() < np.log(2) / 24


def test_noise_and_silence_have_no_voice_and_pitch_is_carried_through_them():
    noise = (0.1 * np.random.default_rng(0).standard_normal(8000)).astype(np.float32)
    _, voiced = pitch(noise, 50)
    assert voiced.mean() < 0.1
    assert not pitch(np.zeros(8000, np.float32), 50)[1].any()
    both = np.concatenate([tone(120, harmonics=10), noise, tone(240, harmonics=10)])
    log_f0, voiced = pitch(both, 150)
    gap = slice(55, 95)
    assert voiced[gap].mean() < 0.2
    assert np.all(np.diff(log_f0[45:105]) > -0.05)
    assert np.log(110) < log_f0[gap].min() <= log_f0[gap].max() < np.log(260)
