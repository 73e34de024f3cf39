"""One speaker on each channel: dialogues are found, and other stereo is none."""

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import StorageError
from curation.manifests.records import Source
from curation.stages.decode.channels import Separation
from curation.stages.decode.split import recordings_in
from curation.stages.decode.stage import DecodeConfig, decode_spans
from tests.support.decoded import only
from tests.support.dummies import encode, noise, speech, write_tracks, write_wav

LENGTH = 24 * SAMPLE_RATE
TURN = np.arange(LENGTH) // (3 * SAMPLE_RATE) % 2
LEFT, RIGHT = speech(24.0) * (TURN == 0), np.roll(speech(24.0), SAMPLE_RATE) * (TURN == 1)
HISS = np.stack([noise(24.0, seed)[:LENGTH] for seed in (1, 2)]) * 0.0005


def is_clear(both):
    separation = Separation()
    for start in range(0, LENGTH, 16_001):
        separation.feed(both[:, start : start + 16_001].astype(np.float32), SAMPLE_RATE)
    return separation.is_clear


@pytest.mark.parametrize(
    ("both", "clear"),
    [
        (np.stack([LEFT, RIGHT]), True),
        (np.stack([LEFT, RIGHT]) + HISS, True),
        (np.stack([LEFT, 0.1 * RIGHT]), True),  # one of them is quiet
        (np.stack([LEFT + 0.03 * RIGHT, RIGHT + 0.03 * LEFT]), True),  # and hears the other a little
        (np.stack([LEFT + 0.3 * RIGHT, RIGHT + 0.3 * LEFT]), False),  # two microphones, or panned voices
        (np.stack([LEFT + RIGHT, LEFT + RIGHT]), False),
        (np.stack([LEFT + RIGHT, -LEFT - RIGHT]), False),
        (np.stack([LEFT + RIGHT, 0 * LEFT]), False),
        (np.stack([LEFT + RIGHT, 0.01 * (LEFT + RIGHT)]) + HISS, False),
        (np.stack([LEFT, RIGHT, LEFT]), False),  # three channels
        (np.stack([LEFT, RIGHT])[:, : 2 * SAMPLE_RATE], False),  # too little to tell
        (np.zeros((2, LENGTH)), False),
    ],
)
def test_which_stereo_has_one_speaker_on_each_channel(both, clear):
    assert is_clear(both) == clear


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    return write_wav(tmp_path_factory.mktemp("call") / "call.wav", np.stack([LEFT, RIGHT], axis=1))


def test_a_channel_can_be_read_by_itself(call, caplog):
    for channel, wave in enumerate((LEFT, RIGHT)):
        row = only(list(decode_spans(Source("a", str(call), channel=channel), DecodeConfig())))
        np.testing.assert_allclose(row.audio, wave, atol=1e-4)
    assert "one speaker on each channel" not in caplog.text
    row = only(list(decode_spans(Source("a", str(call), channel=2), DecodeConfig())))
    assert "no channel 2: the track has 2" in row.verdict.detail


def test_a_call_that_is_mixed_is_warned_of(call, caplog):
    row = only(list(decode_spans(Source("a", str(call)), DecodeConfig())))
    np.testing.assert_allclose(row.audio, (LEFT + RIGHT) / 2, atol=1e-4)
    assert "one speaker on each channel, it seems: see decode.channels" in caplog.text


def test_how_many_recordings_a_file_is(call, tmp_path):
    same = encode(tmp_path / "b.opus", speech(12.0), "libopus", 48_000, "stereo")
    mono, broken = write_wav(tmp_path / "m.wav", LEFT), tmp_path / "none.wav"

    def counts(mode):
        return [
            recordings_in(Source("a", str(path)), DecodeConfig(channels=mode)) for path in (call, same, mono, broken)
        ]

    assert counts("mix") == [1, 1, 1, 1]
    assert counts("auto") == [2, 1, 1, 1]
    assert counts("split") == [2, 2, 1, 1]
    assert recordings_in(Source("a", str(call), channel=0), DecodeConfig(channels="split")) == 1


def test_what_cannot_be_read_is_one_recording_but_an_outage_says_nothing_of_the_file(tmp_path):
    def failing(error):
        def opened(path):
            raise error

        return recordings_in(Source("a", "s3://bucket/a.wav"), DecodeConfig(channels="split"), open_file=opened)

    assert failing(FileNotFoundError("gone")) == 1
    with pytest.raises(StorageError, match="no answer"):
        failing(StorageError("no answer"))


def test_the_channels_are_those_of_the_track_that_is_read(tmp_path):
    path = write_tracks(tmp_path / "a.mkv", [LEFT[:SAMPLE_RATE], np.stack([LEFT, RIGHT])])
    split = DecodeConfig(channels="split")
    assert [recordings_in(Source("a", str(path), track=track), split) for track in (0, 1, 2)] == [1, 2, 1]
    for track, count in enumerate((1, 2)):
        config = DecodeConfig(channels="split", track=track)
        assert recordings_in(Source("a", str(path)), config) == count
        assert recordings_in(Source("a", str(path), track=1 - track), config) == 3 - count
