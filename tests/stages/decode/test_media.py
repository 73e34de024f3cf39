"""Media: formats of real encoders, scales of samples, channels, playlists."""

import os
import struct
import warnings

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from curation.audio.wave import SAMPLE_RATE
from curation.stages.decode.media import open_media
from tests.support.decoded import SECONDS, SPEECH, decode, only, similarity, total_seconds
from tests.support.dummies import dialogue, encode, tone, write_wav

FORMATS = [
    # name, codec, rate, layout, least correlation with the source (8 kHz and 8 bits lose something)
    ("a.wav", "pcm_u8", 16_000, "mono", 0.95),
    ("b.wav", "pcm_s16le", 8_000, "mono", 0.95),
    ("c.wav", "pcm_s24le", 44_100, "stereo", 0.9999),
    ("d.wav", "pcm_s32le", 192_000, "5.1", 0.9999),
    ("e.wav", "pcm_f32le", 48_000, "mono", 0.9999),
    ("f.wav", "pcm_f64le", 22_050, "stereo", 0.9999),
    ("g.wav", "pcm_mulaw", 16_000, "mono", 0.98),
    ("h.flac", "flac", 44_100, "stereo", 0.9999),
    ("i.mp3", "libmp3lame", 44_100, "stereo", 0.999),
    ("j.m4a", "aac", 44_100, "stereo", 0.999),
    ("k.opus", "libopus", 48_000, "mono", 0.99),
    ("l.webm", "libopus", 48_000, "stereo", 0.99),
    ("m.aiff", "pcm_s16be", 11_025, "mono", 0.98),
]


@pytest.mark.parametrize(("name", "codec", "rate", "layout", "least"), FORMATS)
def test_format(tmp_path, name, codec, rate, layout, least):
    row = only(decode(encode(tmp_path / name, SPEECH, codec, rate, layout)))
    assert abs(total_seconds([row]) - SECONDS) < 0.05
    assert similarity(row.audio, SPEECH) > least
    assert row.media.sample_rate == rate
    assert row.media.channels == {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    assert row.media.codec
    assert row.media.seconds == pytest.approx(SECONDS, abs=0.05)


def test_ogg_vorbis(tmp_path):
    soundfile.write(tmp_path / "v.ogg", SPEECH, SAMPLE_RATE, format="OGG", subtype="VORBIS")
    row = only(decode(tmp_path / "v.ogg"))
    assert abs(total_seconds([row]) - SECONDS) < 0.05
    assert similarity(row.audio, SPEECH) > 0.99


def test_video(tmp_path):
    row = only(decode(encode(tmp_path / "m.mp4", SPEECH, "aac", 48_000, "stereo", video=True)))
    assert abs(total_seconds([row]) - SECONDS) < 0.05
    assert similarity(row.audio, SPEECH) > 0.999


def test_16_bit_wav_at_16_khz_is_exact():
    row = only(decode(dialogue()))
    expected, _ = soundfile.read(dialogue(), dtype="float32")
    np.testing.assert_array_equal(row.audio, expected)


def test_channels_are_averaged(tmp_path):
    left, right = tone(1.0, 300), tone(1.0, 500)
    row = only(decode(write_wav(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")))
    np.testing.assert_allclose(row.audio, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("b.mp3", "libmp3lame"), ("c.opus", "libopus")])
def test_channels_that_cancel_out_are_not_lost(tmp_path, name, codec):
    """One is the other upside down, as a wrongly wired cable makes it."""
    both = np.stack([SPEECH, -SPEECH])
    row = only(decode(encode(tmp_path / name, both, codec, 48_000, "stereo")))
    assert row.verdict is None
    assert similarity(row.audio, SPEECH) > 0.99
    assert np.abs(row.audio).max() == pytest.approx(np.abs(SPEECH).max(), rel=0.2)


def test_attached_picture_is_no_hindrance(tmp_path):
    path = encode(tmp_path / "a.mp3", SPEECH, "libmp3lame", 44_100)
    picture = b"\x00image/jpeg\x00\x03\x00" + b"\xff\xd8\xff\xe0 no real picture"
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = bytes([0, 0, len(frame) >> 7, len(frame) & 127])
    path.write_bytes(b"ID3\x03\x00\x00" + size + frame + path.read_bytes())
    assert similarity(only(decode(path)).audio, SPEECH) > 0.999


def test_sample_rate_may_change_within_a_file(tmp_path):
    parts = [
        encode(tmp_path / f"{rate}.mp3", SPEECH, "libmp3lame", rate, write_xing="0", id3v2_version="0").read_bytes()
        for rate in (44_100, 24_000)
    ]
    (tmp_path / "both.mp3").write_bytes(b"".join(parts))
    audio = np.concatenate([row.audio for row in decode(tmp_path / "both.mp3") if row.audio is not None])
    assert abs(len(audio) / SAMPLE_RATE - 2 * SECONDS) < 0.2
    for half in (audio[: len(SPEECH)], audio[-len(SPEECH) :]):  # the speech at its own speed, after the encoder's delay
        delay = int(np.argmax(correlate(half, SPEECH))) - len(SPEECH) + 1
        assert abs(delay) < 0.2 * SAMPLE_RATE
        assert similarity(half[max(delay, 0) :], SPEECH[max(-delay, 0) :]) > 0.95


SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_samples_of_every_width_have_the_values_that_libsndfile_reads(tmp_path, subtype):
    path = write_wav(tmp_path / "a.wav", SPEECH, subtype=subtype)
    expected, _ = soundfile.read(path, dtype="float64")
    np.testing.assert_allclose(only(decode(path)).audio, expected, atol=1e-7)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_32", "FLOAT"])
def test_channels_of_every_width_are_averaged_by_sample(tmp_path, subtype):
    both = np.stack([SPEECH, np.roll(SPEECH, 5000), np.zeros_like(SPEECH)], axis=1)
    path = write_wav(tmp_path / "a.wav", both, subtype=subtype)
    expected, _ = soundfile.read(path, dtype="float64")
    np.testing.assert_allclose(only(decode(path)).audio, expected.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_flac_has_the_values_that_libsndfile_reads(tmp_path, subtype):
    soundfile.write(tmp_path / "a.flac", SPEECH, SAMPLE_RATE, subtype=subtype)
    expected, _ = soundfile.read(tmp_path / "a.flac", dtype="float64")
    np.testing.assert_allclose(only(decode(tmp_path / "a.flac")).audio, expected, atol=1e-7)


# What FFmpeg must not open


@pytest.mark.parametrize("name", ["list.mp3", "list.ffconcat", "list.txt"])
def test_a_playlist_opens_no_other_file(tmp_path, monkeypatch, name):
    """A relative name, which FFmpeg's own list of safe names lets through."""
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "secret.wav", SPEECH)
    (tmp_path / name).write_text("ffconcat version 1.0\nfile secret.wav\n")
    row = only(decode(tmp_path / name))
    assert row.verdict.status == "failed"
    assert row.audio is None


def test_a_stream_of_segments_opens_no_other_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "secret.ts", SPEECH, "aac", 44_100)
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:6", "#EXTINF:6,", "secret.ts", "#EXT-X-ENDLIST"]
    (tmp_path / "list.m3u8").write_text("\n".join(lines) + "\n")
    row = only(decode(tmp_path / "list.m3u8"))
    assert row.verdict.status == "failed"
    assert row.audio is None


# Limits


@pytest.mark.parametrize(("rate", "taken"), [(999, False), (1_000, True), (768_000, True), (768_001, False)])
def test_sample_rates_from_1_to_768_khz(tmp_path, rate, taken):
    row = only(decode(write_wav(tmp_path / "a.wav", tone(0.5, 100.0, rate=rate), rate)))
    assert (row.verdict is None) == taken
    assert row.media.seconds == (pytest.approx(0.5, abs=1e-3) if taken else None)
    if not taken:
        assert "outside of 1000..768000 Hz" in row.verdict.detail


@pytest.mark.parametrize(("channels", "taken"), [(64, True), (65, False)])
def test_up_to_64_channels(tmp_path, channels, taken):
    row = only(decode(write_wav(tmp_path / "a.wav", np.repeat(tone(0.5)[:, None], channels, axis=1))))
    assert (row.verdict is None) == taken


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_audio_comes_in_blocks_of_a_second(tmp_path, rate):
    path = encode(tmp_path / "a.wav", SPEECH, "pcm_s16le", rate)
    with open_media(str(path)) as media:
        lengths = [len(piece) for piece in media.pieces() if len(piece)]
    assert max(lengths) < 1.3 * SAMPLE_RATE
    assert min(lengths[:-1]) > 0.7 * SAMPLE_RATE


def test_opposite_infinities_are_no_numbers_and_no_warning(tmp_path):
    both = np.stack([tone(1.0), tone(1.0)], axis=1)
    both[100] = np.inf, -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = only(decode(write_wav(tmp_path / "a.wav", both, subtype="FLOAT")))
    assert "not numbers" in row.verdict.detail


# What later stages get


def test_what_is_in_the_original_is_what_was_decoded(tmp_path):
    path = write_wav(tmp_path / "a.wav", SPEECH)
    row = only(decode(path))
    np.testing.assert_array_equal(row.original, soundfile.read(path, dtype="float32")[0])
    np.testing.assert_array_equal(row.original, row.audio)


@pytest.mark.parametrize("suffix", ["ul", "al", "sw", "ub", "sb", "uw"])
def test_samples_without_a_header_are_refused(tmp_path, suffix):
    """FFmpeg takes them by their suffix, at 44.1 kHz whatever they are."""
    (tmp_path / f"x.{suffix}").write_bytes((tone(2.0) * 10_000).astype(np.int16).tobytes())
    row = only(decode(tmp_path / f"x.{suffix}"))
    assert row.verdict.status == "failed"
    assert "does not say its sample rate: convert it" in row.verdict.detail


@pytest.mark.parametrize(("name", "message"), [("pipe", "no file"), ("", "no file"), ("empty.wav", "is empty")])
def test_what_is_no_file_is_refused(tmp_path, name, message):
    """A pipe was waited for without an end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.wav").touch()
    row = only(decode(tmp_path / name))
    assert row.verdict.status == "failed"
    assert message in row.verdict.detail


def test_a_device_without_an_end_is_refused():
    assert "no file" in only(decode("/dev/zero")).verdict.detail
