"""Segments of files: exactly the samples that offset and duration say, each accounted for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import MediaInfo, Source
from curation.stages.decode.media import MIN_SEEK_SECONDS, open_binary
from curation.stages.decode.segment import Part
from curation.stages.decode.stage import DecodeConfig, decode_spans
from tests.support.decoded import assert_accounted, only, remux, similarity, total_seconds
from tests.support.dummies import encode, noise, speech, write_tracks, write_wav


def cut(path, offset=None, duration=None, track=None, open_file=None, **config):
    source = Source("talk", str(path), offset=offset, duration=duration, track=track)
    rows = list(decode_spans(source, DecodeConfig(**config), open_file=open_file))
    assert_accounted(rows)
    return rows


WAVE = np.round(noise(3.0, 1) * 3000) / 32768


@given(st.integers(0, 40_000), st.integers(1, 8_000), st.floats(1.0, 3.0))
def test_a_segment_is_the_samples_that_it_says(tmp_path, start, length, span):
    path = tmp_path / "a.wav"
    if not path.exists():
        write_wav(path, WAVE)
    rows = cut(path, start / SAMPLE_RATE, length / SAMPLE_RATE, max_span_seconds=span)
    expected = WAVE[start : start + length].astype(np.float32)
    np.testing.assert_array_equal(np.concatenate([row.audio for row in rows]), expected)


def test_segments_that_follow_one_another_are_the_file(tmp_path):
    path = write_wav(tmp_path / "a.wav", WAVE)
    parts = [cut(path, 0.0, 1.1), cut(path, 1.1, 0.5), cut(path, 1.6)]
    whole = np.concatenate([row.audio for rows in parts for row in rows])
    np.testing.assert_array_equal(whole, only(cut(path)).audio)


LONG = speech(MIN_SEEK_SECONDS + 15.0, 2.0)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "off"),
    [
        ("a.wav", "pcm_s16le", 44_100, 0),
        ("b.flac", "flac", 48_000, 0),
        ("c.mp3", "libmp3lame", 44_100, 0),
        ("d.m4a", "aac", 44_100, 0),
        ("e.webm", "libopus", 48_000, SAMPLE_RATE // 1000),  # Matroska counts milliseconds
        ("g.mkv", "flac", 16_000, 0),
        ("h.opus", "libopus", 48_000, 0),
    ],
)
def test_a_late_segment_is_the_same_as_in_the_whole(tmp_path, name, codec, rate, off):
    """Reading may begin in the middle of the file, where the container allows it."""
    path = encode(tmp_path / name, LONG, codec, rate)
    whole = only(cut(path)).audio
    begin = MIN_SEEK_SECONDS + 7.123
    row = only(cut(path, begin, 4.0))
    assert row.num_samples == 4 * SAMPLE_RATE
    places = [round(begin * SAMPLE_RATE) + shift for shift in {-off, 0, off}]
    assert max(similarity(row.audio, whole[place:]) for place in places) > 0.98  # AAC makes up some of its noise


def test_a_segment_of_a_file_without_packets_in_its_pauses_is_that_of_the_whole(tmp_path):
    path = remux(
        encode(tmp_path / "a.mkv", LONG, "flac", 16_000), tmp_path / "b.mkv", lambda _, s: s + 5 + 40 * (s > 20.0)
    )
    whole = np.concatenate([row.audio for row in cut(path)])
    assert len(whole) == pytest.approx(len(LONG) + 40 * SAMPLE_RATE, abs=0.01 * SAMPLE_RATE)
    for begin in (50.0, 59.5, 63.0):
        row = only(cut(path, begin, 4.0))
        place = round(begin * SAMPLE_RATE)
        assert (row.audio is None) == (not whole[place : place + 4 * SAMPLE_RATE].any())
        if row.audio is not None:
            shifted = [whole[place + shift : place + shift + 4 * SAMPLE_RATE] for shift in range(-16, 17)]
            assert max(similarity(row.audio, wave) for wave in shifted) > 0.999  # Matroska counts milliseconds


def test_the_beginning_of_a_long_file_is_not_read_for_a_late_segment(tmp_path):
    path = write_wav(tmp_path / "a.wav", noise(120.0) * 0.1)
    read = []

    def open_file(name):
        file = open_binary(name)
        inner = file.read
        wrapped = type("Counted", (), {"__getattr__": lambda _, key: getattr(file, key)})()
        wrapped.read = lambda size=-1: read.append(content := inner(size)) or content
        wrapped.__class__.__enter__ = lambda self: self
        wrapped.__class__.__exit__ = lambda *_: file.close()
        return wrapped

    cut(path, 100.0, 1.0, open_file=open_file)
    assert sum(map(len, read)) < path.stat().st_size / 4


@pytest.mark.parametrize(
    ("offset", "duration", "seconds", "failed"), [(2.0, 5.0, 5.0, 4.0), (9.0, 2.0, 2.0, 2.0), (2.0, 1.1, 1.0, 0.0)]
)
def test_what_a_file_does_not_hold_is_failed(tmp_path, offset, duration, seconds, failed):
    """A tenth of a second is how exact manifests are."""
    rows = cut(write_wav(tmp_path / "a.wav", WAVE), offset, duration)
    assert total_seconds(rows) == pytest.approx(seconds)
    bad = [row for row in rows if row.verdict is not None]
    assert sum(row.num_samples for row in bad) / SAMPLE_RATE == pytest.approx(failed)
    assert all("the file ends before the segment does" in row.verdict.detail for row in bad)


def test_an_open_segment_behind_the_end_is_failed(tmp_path):
    row = only(cut(write_wav(tmp_path / "a.wav", WAVE), 9.0))
    assert (row.verdict.status, row.num_samples) == ("failed", 0)
    assert "correct offset" in row.verdict.detail


def test_what_a_part_should_have():
    assert Part.of(Source("a", "a")) == Part(0, None)
    assert Part.of(Source("a", "a", offset=0.5, duration=0.25)) == Part(8000, 12_000)
    assert Part(8000, 12_000).expected(MediaInfo(seconds=10.0)) == 4000
    assert Part(8000, None).expected(MediaInfo(seconds=10.0)) == 152_000
    assert Part(8000, None).expected(MediaInfo()) == 0


@pytest.fixture
def two_tracks(tmp_path):
    """3 s of one wave, 2 s of another."""
    return write_tracks(tmp_path / "x.mkv", [WAVE, WAVE[::-1][: 2 * SAMPLE_RATE]])


def test_each_track_can_be_named(two_tracks):
    np.testing.assert_array_equal(only(cut(two_tracks, track=0)).audio, WAVE.astype(np.float32))
    second = only(cut(two_tracks, track=1))
    np.testing.assert_array_equal(second.audio, WAVE[::-1][: 2 * SAMPLE_RATE].astype(np.float32))
    part = only(cut(two_tracks, 0.5, 1.0, track=1))
    np.testing.assert_array_equal(part.audio, second.audio[8000:24_000])
    row = only(cut(two_tracks, track=2))
    assert row.verdict.status == "failed"
    assert "no audio track 2: the file has 2" in row.verdict.detail


def test_of_a_segment_other_tracks_count_as_much_as_the_one_that_is_read(two_tracks):
    """A file whose segments are rows of a manifest does not count once for each of them."""
    parts = [cut(two_tracks, 0.0, 1.0), cut(two_tracks, 1.0, 1.0), cut(two_tracks, 2.0)]
    (_, whole), others = cut(two_tracks), [rows[1] for rows in parts]
    assert {row.verdict.reason for row in others} == {"decode.track"}
    assert sum(row.num_samples for row in others) == whole.num_samples


def test_tracks_that_are_not_read_are_accounted_for(two_tracks, caplog):
    first, other = cut(two_tracks)
    assert f"{two_tracks} has 1 more audio tracks, which are not read" in caplog.text
    np.testing.assert_array_equal(first.audio, WAVE.astype(np.float32))
    assert (other.verdict.status, other.verdict.reason) == ("rejected", "decode.track")
    assert "audio track 1: to read it, name it in a manifest" in other.verdict.detail
    assert other.num_samples / SAMPLE_RATE == pytest.approx(2.0, abs=1.1)  # of the file, where the track says nothing
    assert first.complete
    rows = list(decode_spans(Source("talk", str(two_tracks)), DecodeConfig(track=1)))
    assert_accounted(rows)
    assert rows[0].num_samples == 2 * SAMPLE_RATE
    assert "audio track 0" in rows[1].verdict.detail
