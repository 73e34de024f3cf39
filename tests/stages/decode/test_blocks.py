"""Frames of any size become blocks at 16 kHz that join to the same samples."""

import av
import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.stages.decode.blocks import MAX_CHANNELS, MAX_RATE, Joiner, MediaError, mono
from tests.support.dummies import noise


@given(st.sampled_from([8_000, 16_000, 44_100]), st.lists(st.integers(0, 30_000), max_size=5))
def test_the_size_of_frames_does_not_matter(rate, cuts):
    wave = noise(2.0, rate=rate)[: 2 * rate]
    joiner, blocks = Joiner(), []
    for part in np.split(wave, sorted(cuts)):
        blocks += joiner.feed(part, rate)
    joined = np.concatenate([*blocks, joiner.flush()])
    expected = wave if rate == SAMPLE_RATE else soxr.resample(wave, rate, SAMPLE_RATE, quality="VHQ")
    np.testing.assert_allclose(joined, expected, atol=1e-5)


def test_a_new_rate_begins_anew():
    joiner = Joiner()
    blocks = [*joiner.feed(noise(1.5), SAMPLE_RATE), *joiner.feed(noise(0.5, rate=8_000), 8_000), joiner.flush()]
    assert sum(map(len, blocks)) == 2 * SAMPLE_RATE


def frame(data, kind, layout="mono", rate=SAMPLE_RATE):
    made = av.AudioFrame.from_ndarray(data, kind, layout)
    made.sample_rate = rate
    return made


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("u8", np.array([0, 64, 128, 192], np.uint8)),
        ("s16", np.array([-32768, -16384, 0, 16384], np.int16)),
        ("s32", np.array([-(2**31), -(2**30), 0, 2**30], np.int32)),
        ("flt", np.array([-1, -0.5, 0, 0.5], np.float32)),
        ("dbl", np.array([-1, -0.5, 0, 0.5])),
    ],
)
def test_full_scale_is_one(kind, values):
    np.testing.assert_array_equal(mono(frame(values[None], kind)), [-1, -0.5, 0, 0.5])
    np.testing.assert_array_equal(mono(frame(np.repeat(values, 2)[None], kind, "stereo")), [-1, -0.5, 0, 0.5])


def test_what_is_no_number_is_marked():
    wave = mono(frame(np.array([[0.5, np.inf, np.nan, 1e20]], np.float32), "flt"))
    np.testing.assert_array_equal(wave, [0.5, np.nan, np.nan, np.nan])


def test_headers_that_cannot_be_are_refused():
    with pytest.raises(MediaError, match=f"{MAX_RATE + 1} Hz with 1 channels is outside of .*1..{MAX_CHANNELS}"):
        mono(frame(np.zeros((1, 4), np.int16), "s16", rate=MAX_RATE + 1))
