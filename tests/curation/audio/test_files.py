"""Audio files: what is written comes back, too loud samples are clipped, and other rates and channels are converted."""

import numpy as np
import pytest
import soundfile

from curation.audio.files import read_wave, write_wave
from curation.audio.wave import SAMPLE_RATE
from curation.models.packaged_speech import BECKETT
from curation.models.store import resolve
from tests.support.real_speech import librivox


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_samples_come_back_on_the_16_bit_grid_and_too_loud_ones_are_clipped(tmp_path, suffix):
    wave = 8 * librivox()[1]
    assert np.abs(wave).max() > 1
    path = tmp_path / "folder" / f"a.{suffix}"
    write_wave(path, wave)
    found = soundfile.info(path)
    assert (found.format, found.subtype, found.samplerate) == (suffix.upper(), "PCM_16", SAMPLE_RATE)
    again = read_wave(path)
    np.testing.assert_array_equal(again * 32768, np.round(again * 32768))
    np.testing.assert_allclose(again, np.clip(wave, -1, 32767 / 32768), rtol=0, atol=1 / 32768)


def test_channels_are_averaged_and_other_rates_resampled(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, np.zeros_like(tone)], axis=1), 48_000, subtype="FLOAT")
    wave = read_wave(tmp_path / "a.wav")
    assert (wave.dtype, wave.shape) == (np.float32, (SAMPLE_RATE,))
    expected = 0.25 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    np.testing.assert_allclose(wave[500:-500], expected[500:-500], atol=1e-3)


@pytest.mark.parametrize(("start", "stop"), [(0.0, 0.5), (0.5, None)])
def test_a_part_of_a_recording_is_a_share_of_it(start, stop):
    whole = read_wave(resolve(BECKETT))
    part = read_wave(resolve(BECKETT), start=start, stop=stop)
    assert len(part) == pytest.approx(len(whole) / 2, abs=2)
    middle = len(whole) // 2
    expected = whole[:middle] if start == 0 else whole[middle:]
    size = min(len(part), len(expected)) - 400  # the filter of the resampler reaches over the cut
    near = slice(200, size)
    assert np.corrcoef(part[near], expected[near])[0, 1] > 0.99
