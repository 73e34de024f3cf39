"""Frames of any size become blocks at 16 kHz that join to the same samples."""

import av
import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.stages.decode.blocks import MAX_CHANNELS, MAX_RATE, Joiner, MediaError, mixed, planes
from tests.support.dummies import noise


@given(st.sampled_from([8_000, 16_000, 44_100]), st.lists(st.integers(0, 30_000), max_size=5))
def test_the_size_of_frames_does_not_matter(rate, cuts):
    wave = noise(2.0, rate=rate)[: 2 * rate]
    joiner, blocks, place = Joiner(), [], 0
    for part in np.split(wave, sorted(cuts)):
        blocks += joiner.feed(part[None], rate, place / rate)
        place += len(part)
    joined = np.concatenate([*blocks, joiner.flush()])
    expected = wave if rate == SAMPLE_RATE else soxr.resample(wave, rate, SAMPLE_RATE, quality="VHQ")
    np.testing.assert_allclose(joined, expected, atol=1e-5)


def test_a_new_rate_begins_anew():
    joiner = Joiner()
    first = joiner.feed(noise(1.5)[None], SAMPLE_RATE, 0.0)
    blocks = [*first, *joiner.feed(noise(0.5, rate=8_000)[None], 8_000, 1.5), joiner.flush()]
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
    np.testing.assert_array_equal(planes(frame(values[None], kind)), [[-1, -0.5, 0, 0.5]])
    both = planes(frame(np.repeat(values, 2)[None], kind, "stereo"))
    np.testing.assert_array_equal(both, [[-1, -0.5, 0, 0.5]] * 2)


def test_what_is_no_number_is_marked():
    wave = planes(frame(np.array([[0.5, np.inf, np.nan, 1e20]], np.float32), "flt"))
    np.testing.assert_array_equal(wave[0], [0.5, np.nan, np.nan, np.nan])


def test_headers_that_cannot_be_are_refused():
    with pytest.raises(MediaError, match=f"{MAX_RATE + 1} Hz with 1 channels is outside of .*1..{MAX_CHANNELS}"):
        planes(frame(np.zeros((1, 4), np.int16), "s16", rate=MAX_RATE + 1))


VOICE, OTHER, MUSIC = noise(1.0, 1) * 0.1, noise(1.0, 2) * 0.1, noise(1.0, 3) * 0.1


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ([VOICE, VOICE], VOICE),
        ([VOICE, OTHER], (VOICE + OTHER) / 2),
        ([VOICE, 0 * VOICE], VOICE / 2),
        ([VOICE, -VOICE], VOICE),
        ([VOICE, -0.8 * VOICE], VOICE),
        ([0.8 * VOICE, -VOICE], 0.8 * VOICE),
        ([VOICE + 0.1 * OTHER, -VOICE + 0.1 * MUSIC], VOICE + 0.1 * OTHER),
        ([VOICE, -VOICE, VOICE, -VOICE], VOICE),
        ([0 * VOICE, VOICE, -VOICE], VOICE),  # the strongest, where the first is far weaker
        ([VOICE + MUSIC, -VOICE + MUSIC], MUSIC),  # a wide stereo image keeps what is in the middle
        ([VOICE] + [0 * VOICE] * 5, VOICE / 6),  # 5.1 with all speech in one channel
        ([0 * VOICE, 0 * VOICE], 0 * VOICE),
    ],
)
def test_channels_are_averaged_unless_they_cancel_out(channels, expected):
    np.testing.assert_allclose(mixed(np.stack(channels)), expected, atol=1e-7)


def test_what_is_no_number_in_one_channel_is_none_in_the_mean():
    wave = np.stack([VOICE, -VOICE])
    wave[0, 3] = np.nan
    assert np.isnan(mixed(wave)[3])


@given(st.floats(0.0, 2.5), st.lists(st.integers(0, 40_000), max_size=4))
def test_the_choice_of_a_channel_does_not_depend_on_where_reading_begins(start, cuts):
    """Blocks are seconds of the recording: a second of opposite channels, one of equal ones, and so on."""
    sign = np.repeat([-1, 1, -1, 1], SAMPLE_RATE)
    left = noise(4.0)[: 4 * SAMPLE_RATE] * 0.1
    wave = np.stack([left, 0.9 * left * sign]).astype(np.float32)
    first = round(start * SAMPLE_RATE)

    def joined(begin, cuts):
        joiner, blocks, place = Joiner(), [], begin
        for part in np.split(wave[:, begin:], sorted(cuts), axis=1):
            blocks += joiner.feed(part, SAMPLE_RATE, place / SAMPLE_RATE)
            place += part.shape[1]
        return np.concatenate([*blocks, joiner.flush()])

    whole = joined(0, [])
    np.testing.assert_array_equal(joined(0, cuts), whole)
    np.testing.assert_array_equal(joined(first, cuts), whole[first:])
    np.testing.assert_allclose(whole[:SAMPLE_RATE], left[:SAMPLE_RATE], atol=1e-6)
    second = slice(SAMPLE_RATE, 2 * SAMPLE_RATE)
    np.testing.assert_allclose(whole[second], 0.95 * left[second], atol=1e-6)
