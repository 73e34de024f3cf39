"""Opus: the same bytes each time, as many samples as went in, and the same sound."""

import io

import numpy as np
import pytest
import soundfile

from curation.audio.opus import encode_opus


@pytest.mark.parametrize("samples", [1, 5, 161, 319, 16_000, 20_001])
def test_equal_audio_gives_equal_bytes_and_as_many_samples(samples):
    wave = (0.3 * np.sin(np.arange(samples) / 10)).astype(np.float32)
    content = encode_opus(wave)
    found, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    assert (content, rate, len(found)) == (encode_opus(wave.copy()), 16_000, samples)
    if samples > 10_000:
        assert np.corrcoef(found, wave)[0, 1] > 0.99
