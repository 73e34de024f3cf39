"""Speech from frames has the spectrum and the pitch that the frames ask for."""

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.tokenize.compact.features import HOP, NUM_MELS, log_mel, pitch
from curation.tokenize.compact.vocoder import REACH, inverse_stft, pulses, sampled_f0, stft, vocode
from tests.support.real_speech import librivox


def test_the_spectrum_of_speech_comes_back():
    wave = librivox()[0][: 2 * SAMPLE_RATE]
    count = len(wave) // HOP
    wanted, (log_f0, voiced) = log_mel(wave, count), pitch(wave, count)
    spoken = vocode(wanted, log_f0, voiced.astype(np.float32))
    assert spoken.shape == (count * HOP,)
    found = log_mel(spoken, count)
    loud = wanted > wanted.max() - 5
    assert np.abs(found - wanted)[loud].mean() < 0.35
    again, voiced_again = pitch(spoken, count)
    both = voiced & voiced_again
    assert both.sum() > 0.7 * voiced.sum()
    assert np.median(np.abs(again - log_f0)[both]) < 0.03


@pytest.mark.parametrize("hertz", [100.0, 250.0])
def test_there_is_a_pulse_for_each_cycle(hertz):
    train, phase = pulses(np.full(SAMPLE_RATE, hertz), 0.0)
    assert np.count_nonzero(train) == pytest.approx(hertz, abs=1)
    assert phase[-1] == pytest.approx(hertz)
    assert np.sum(train**2) == pytest.approx(SAMPLE_RATE, rel=0.02)  # equal power at every pitch
    first, halfway = pulses(np.full(8000, hertz), 0.0)
    second, _ = pulses(np.full(8000, hertz), float(halfway[-1]))
    np.testing.assert_allclose(np.concatenate([first, second]), train)


def test_pitch_between_frames_is_interpolated():
    f0 = sampled_f0(np.log(np.array([100.0, 200.0], np.float32)))
    assert len(f0) == 2 * HOP
    assert f0[HOP // 2] == pytest.approx(100, rel=1e-3)
    assert f0[HOP + HOP // 2] == pytest.approx(200, rel=1e-3)
    assert f0[HOP] == pytest.approx(np.sqrt(100 * 200), rel=1e-3)


def test_the_inverse_of_the_transform_is_the_wave():
    wave = np.random.default_rng(0).standard_normal(40 * HOP).astype(np.float32)
    np.testing.assert_allclose(inverse_stft(stft(wave, 40))[HOP:-HOP], wave[HOP:-HOP], atol=1e-4)


def test_a_frame_reaches_as_far_as_is_said_and_no_further():
    count, at = 3 * REACH, 3 * REACH // 2
    mel = np.full((count, NUM_MELS), -4.0, np.float32)
    log_f0, voicing = np.full(count, np.log(120), np.float32), np.ones(count, np.float32)
    louder = mel.copy()
    louder[at] += 1
    changed = np.abs(vocode(mel, log_f0, voicing) - vocode(louder, log_f0, voicing)).reshape(count, HOP).max(axis=1)
    touched = np.flatnonzero(changed > 0)
    assert at - REACH <= touched.min() < at < touched.max() <= at + REACH
