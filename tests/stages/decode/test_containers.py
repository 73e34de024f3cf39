"""What a container declares: truncated files are found, estimates and unknown lengths mean nothing."""

import io
import struct

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.stages.decode.containers import riff_seconds, undeclared_seconds
from tests.support.decoded import SECONDS, SPEECH, decode, only, similarity, total_seconds
from tests.support.dummies import encode, encode_at, speech, write_wav


def test_header_only_counts_as_what_it_declares(tmp_path):
    whole = write_wav(tmp_path / "a.wav", SPEECH).read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[:44])
    row = only(decode(tmp_path / "a.wav"))
    assert (row.verdict.status, total_seconds([row])) == ("failed", SECONDS)
    assert "truncated" in row.verdict.detail


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 16_000),
        ("b.wav", "pcm_s24le", 48_000),
        ("c.flac", "flac", 44_100),
        ("d.mp3", "libmp3lame", 44_100),
        ("e.webm", "libopus", 48_000),
        ("f.aiff", "pcm_s16be", 16_000),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_truncated_file_adds_up(tmp_path, name, codec, rate, share):
    path = encode(tmp_path / name, SPEECH, codec, rate)
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    good, lost = decode(path)
    assert similarity(good.audio, SPEECH) > 0.99
    assert lost.verdict.status == "failed"
    assert "fetch" in lost.verdict.detail
    assert total_seconds([good, lost]) == pytest.approx(SECONDS, abs=0.05)


def test_a_few_missing_samples_are_no_truncation(tmp_path):
    path = write_wav(tmp_path / "a.wav", SPEECH)
    path.write_bytes(path.read_bytes()[:-2000])
    assert only(decode(path)).num_samples == len(SPEECH) - 1000


@pytest.mark.parametrize("size", [0, 0x7FFF0000, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_wav_from_a_pipe_declares_nothing(tmp_path, size, subtype):
    path = write_wav(tmp_path / "a.wav", SPEECH, subtype=subtype)
    data = bytearray(path.read_bytes())
    for chunk, offset in ((b"data", 4), (b"fact", 8)):
        if (place := data.find(chunk)) > 0:
            data[place + offset : place + offset + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    assert only(decode(path)).num_samples == len(SPEECH)


def missing(tmp_path, seconds, lost, **settings):
    """Rows of a WAV of `seconds` that declares `lost` seconds more than it holds."""
    path = write_wav(tmp_path / "a.wav", speech(seconds))
    path.write_bytes(path.read_bytes()[: -round(lost * SAMPLE_RATE) * 2])
    return decode(path, **settings)


@pytest.mark.parametrize(
    ("seconds", "lost", "settings", "truncated"),
    [
        (40.0, 0.38, {}, False),  # 1 % of 40 s
        (40.0, 0.42, {}, True),
        (80.0, 0.48, {}, False),  # half a second at most
        (80.0, 0.52, {}, True),
        (5.0, 0.14, {}, False),  # 0.15 s at least
        (5.0, 0.16, {}, True),
        (40.0, 0.38, {"max_missing_seconds": 0.3}, True),
        (40.0, 0.38, {"max_missing_fraction": 0.005}, True),
        (40.0, 0.78, {"max_missing_fraction": 0.02, "max_missing_seconds": 1.0}, False),
    ],
)
def test_how_much_may_be_missing(tmp_path, seconds, lost, settings, truncated):
    rows = missing(tmp_path, seconds, lost, **settings)
    assert [row.verdict is not None for row in rows] == ([False, True] if truncated else [False])
    if truncated:
        assert "truncated" in rows[1].verdict.detail
        assert total_seconds(rows) == pytest.approx(seconds, abs=1e-3)


def test_an_estimate_that_is_too_long_is_no_truncation(tmp_path):
    """Without the header of a variable bit rate FFmpeg multiplies the first one: here 55 s for 12 s."""
    plain = {"write_xing": "0", "id3v2_version": "0"}
    rates = [
        encode(tmp_path / f"{rate}.mp3", SPEECH, "libmp3lame", 16_000, bit_rate=rate, **plain)
        for rate in (16_000, 128_000)
    ]
    (tmp_path / "both.mp3").write_bytes(b"".join(path.read_bytes() for path in rates))
    row = only(decode(tmp_path / "both.mp3"))
    assert row.media.seconds > 50
    assert total_seconds([row]) == pytest.approx(2 * SECONDS, abs=0.3)


def test_a_wav_declares_what_its_header_says_and_not_its_size(tmp_path):
    """FFmpeg goes by the size of the file."""
    path = write_wav(tmp_path / "a.wav", SPEECH)
    with path.open("rb") as file:
        assert riff_seconds(file) == pytest.approx(SECONDS)
        assert file.tell() == 0
    path.write_bytes(path.read_bytes()[:1000])
    with path.open("rb") as file:
        assert riff_seconds(file) == pytest.approx(SECONDS)


@pytest.mark.parametrize("odd", [0, 1, 2, 3])
def test_chunks_before_the_data_are_passed_over_with_their_padding(tmp_path, odd):
    whole = write_wav(tmp_path / "a.wav", SPEECH).read_bytes()
    extra = b"LIST" + struct.pack("<I", 20 + odd) + b"x" * (20 + odd + odd % 2)
    (tmp_path / "a.wav").write_bytes(whole[:36] + extra + whole[36:])
    with (tmp_path / "a.wav").open("rb") as file:
        assert riff_seconds(file) == pytest.approx(SECONDS)


@pytest.mark.parametrize(
    ("subtype", "rate"), [("PCM_16", 16_000), ("PCM_24", 44_100), ("FLOAT", 48_000), ("ULAW", 8_000), ("ALAW", 8_000)]
)
def test_seconds_of_every_kind_of_pcm(tmp_path, subtype, rate):
    stereo = np.zeros((3 * rate, 2), np.float32)
    with write_wav(tmp_path / "a.wav", stereo, rate, subtype).open("rb") as file:
        assert riff_seconds(file) == 3.0


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFX\0\0\0\0WAVE", b"RIFF\0\0\0\0AVI ", b"fLaC" + bytes(40)])
def test_what_is_no_wav_declares_nothing(content):
    assert riff_seconds(io.BytesIO(content)) is None


def test_a_compressed_wav_says_nothing_about_its_seconds(tmp_path):
    path = write_wav(tmp_path / "a.wav", SPEECH, subtype="IMA_ADPCM")
    with path.open("rb") as file:
        assert riff_seconds(file) is None


@pytest.mark.parametrize(("hours", "believed"), [(999, True), (1001, False)])
def test_a_duration_of_more_than_a_thousand_hours_is_a_damaged_header(tmp_path, hours, believed):
    path = encode_at(tmp_path / "a.mkv", [(0.0, SPEECH), (hours * 3600.0, SPEECH[:320])])
    rows = decode(path)
    assert sum(row.num_samples for row in rows if row.verdict is None) == len(SPEECH) + 320
    assert {row.media.seconds is None for row in rows} == {not believed}
    assert (rows[-1].verdict is not None) == believed  # most of it is missing


def declaring(path, seconds, tail=b""):
    """A WAV of 7 s whose header declares fewer, and what follows behind it."""
    content = bytearray(write_wav(path, speech(7.0, 3.0)).read_bytes())
    content[40:44] = struct.pack("<I", round(seconds * 2 * SAMPLE_RATE))
    path.write_bytes(bytes(content) + tail)
    return path


def test_audio_behind_the_end_of_the_header_is_failed(tmp_path):
    good, lost = decode(declaring(tmp_path / "a.wav", 1.0))
    assert (good.num_samples, lost.num_samples) == (SAMPLE_RATE, 6 * SAMPLE_RATE)
    assert (lost.verdict.status, lost.verdict.reason) == ("failed", "decode")
    assert "the header ends the audio 6.00 s before the file does" in lost.verdict.detail


CHUNK = b"LIST" + struct.pack("<I", 70_000) + b"INFO" + bytes(69_996)


@pytest.mark.parametrize(
    "tail", [b"", CHUNK, CHUNK * 2, bytes(70_000), b"TAG" + b"x" * 125, b"ID3\3" + b"\xff" * 70_000]
)
def test_what_else_follows_the_audio_is_none(tmp_path, tail):
    path = declaring(tmp_path / "a.wav", 7.0, tail)
    with path.open("rb") as file:
        assert undeclared_seconds(file) == 0.0
        assert file.tell() == 0
    assert total_seconds([only(decode(path))]) == 7.0


@pytest.mark.parametrize("seconds", [0.0, 60_000.0])
def test_a_writer_that_did_not_know_the_length_declares_nothing(tmp_path, seconds):
    path = write_wav(tmp_path / "a.wav", SPEECH)
    content = bytearray(path.read_bytes())
    content[40:44] = b"\0\0\0\0" if not seconds else b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert undeclared_seconds(file) == 0.0
