"""RNNoise: what its library needs, and that nothing happens to what it is given."""

import numpy as np
import pytest

from curation.core.errors import ModelError
from curation.stages.denoise.rnnoise import RNNoise
from tests.support.dummies import mix, noise, speech


@pytest.fixture(scope="module")
def rnnoise():
    made = RNNoise()
    made.load()
    return made


def test_a_folder_without_the_library_says_how_to_get_it(tmp_path):
    with pytest.raises(ModelError, match=r"librnnoise.*pip install --force-reinstall pyrnnoise"):
        RNNoise(f"path:{tmp_path}").load()


def test_the_wave_that_is_given_stays_as_it_is(rnnoise):
    wave = mix(speech(1.0, 4.0), noise(1.0), 10)
    before = wave.copy()
    rnnoise.denoise(wave)
    np.testing.assert_array_equal(wave, before)


def test_speech_keeps_its_level(rnnoise):
    """The library counts in 16-bit units; a wrong scale is 90 dB away."""
    wave = (0.5 * speech(3.0, 4.0) / np.abs(speech(3.0, 4.0)).max()).astype(np.float32)
    out = rnnoise.denoise(wave)
    assert abs(20 * np.log10(np.std(out) / np.std(wave))) < 1.5


def test_noise_between_words_goes(rnnoise):
    hiss = (0.02 * noise(3.0)).astype(np.float32)
    assert 20 * np.log10(np.std(rnnoise.denoise(hiss)[16_000:]) / np.std(hiss[16_000:])) < -15
