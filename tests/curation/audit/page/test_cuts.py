"""Cuts: the samples of the recording that a segment has, and what a waveform is drawn from."""

import base64

import numpy as np
import pytest
import soundfile

from curation.audio.files import write_wave
from curation.audit.page import cuts
from curation.manifests.records import Source
from curation.stages.decode.stage import DecodeConfig
from tests.support.dummies import write_tracks


@pytest.fixture
def recording(tmp_path):
    wave = (np.arange(48_000) % 20_000 / 20_000 - 0.5).astype(np.float32)
    write_wave(tmp_path / "a.wav", wave)
    return tmp_path / "a.wav", soundfile.read(tmp_path / "a.wav", dtype="float32")[0]


def test_a_cut_is_the_samples_of_the_recording(recording):
    path, wave = recording
    found = cuts.recorded(Source("a", str(path)), 1.0, 0.5, DecodeConfig())
    np.testing.assert_array_equal(found, wave[16_000:24_000])


def test_times_count_from_where_the_recording_begins_in_its_file(recording):
    path, wave = recording
    found = cuts.recorded(Source("a", str(path), offset=0.5), 1.0, 0.5, DecodeConfig())
    np.testing.assert_array_equal(found, wave[24_000:32_000])


def test_a_cut_is_of_the_track_that_the_build_reads(tmp_path):
    tone = np.sin(np.arange(32_000) / 20).astype(np.float32)
    path = write_tracks(tmp_path / "two.mkv", [level * tone for level in (0.1, 0.5)])
    first, second = (cuts.recorded(Source("a", str(path)), 0.0, 1.0, DecodeConfig(track=number)) for number in (0, 1))
    assert np.abs(first).max() == pytest.approx(0.1, abs=0.01)
    assert np.abs(second).max() == pytest.approx(0.5, abs=0.01)


def test_a_recording_that_is_gone_has_no_cut(tmp_path):
    assert cuts.recorded(Source("a", str(tmp_path / "gone.wav")), 0.0, 1.0, DecodeConfig()) is None


@pytest.mark.parametrize("audio", ["opus", "flac"])
def test_files_play_as_long_as_the_cut(recording, tmp_path, audio):
    (tmp_path / "cut").write_bytes(cuts.encoded(recording[1], audio))
    info = soundfile.info(tmp_path / "cut")
    assert info.duration == pytest.approx(3.0, abs=0.01)


def test_peaks_follow_the_loudness():
    wave = np.r_[np.zeros(8_000), 0.25 * np.ones(4_000), -0.5 * np.ones(4_000)].astype(np.float32)
    found = np.frombuffer(base64.b64decode(cuts.peaks(wave)), np.uint8)
    assert len(found) == cuts.BUCKETS
    assert set(found[:119]) == {0}
    assert set(found[121:179]) == {127}
    assert set(found[181:]) == {255}


@pytest.mark.parametrize("length", [0, 1, 100, 241])
def test_short_and_silent_cuts_have_peaks_too(length):
    found = base64.b64decode(cuts.peaks(np.zeros(length, np.float32)))
    assert set(found) <= {0}


def test_places_are_hashes_whatever_the_id_is():
    found = {cuts.place(key) for key in ("../../etc/passwd", "a", "a/b", "\ud800", "")}
    assert len(found) == 5
    assert all(len(name) == 27 and name[2] == "/" and set(name) <= set("0123456789abcdef/") for name in found)
