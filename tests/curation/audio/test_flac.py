"""FLAC of utterances: the 16-bit grid, clipping, and that other programs read it."""

import io

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.flac import decode_flac, encode_flac
from tests.support.real_speech import librivox


def test_it_is_flac_of_16_bits_at_16_khz():
    content = encode_flac(librivox()[1])
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        assert (file.format, file.subtype, file.samplerate, file.channels) == ("FLAC", "PCM_16", 16_000, 1)
        assert file.frames == len(librivox()[1])


def test_ffmpeg_reads_the_same_samples():
    content = encode_flac(librivox()[1])
    with av.open(io.BytesIO(content)) as container:
        frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    np.testing.assert_array_equal(np.concatenate(frames).astype(np.float32) / 32768, decode_flac(content))


@given(st.lists(st.floats(-1, 32767 / 32768, width=32), min_size=1, max_size=300))
def test_samples_come_back_to_half_a_step(values):
    wave = np.array(values, np.float32)
    again = decode_flac(encode_flac(wave))
    assert again.dtype == np.float32
    assert np.abs(again - wave).max() <= 0.5 / 32768 + 1e-9
    np.testing.assert_array_equal(decode_flac(encode_flac(again)), again)


@pytest.mark.parametrize(("value", "expected"), [(1.0, 32767 / 32768), (7.0, 32767 / 32768), (-7.0, -1.0)])
def test_what_is_too_loud_is_clipped_and_does_not_wrap(value, expected):
    np.testing.assert_array_equal(decode_flac(encode_flac(np.full(200, value, np.float32))), np.float32(expected))
