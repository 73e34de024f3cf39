"""Decode: formats, spans and memory, with real encoders."""

import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.levels import ENERGY_WINDOW, quietest
from curation.audio.wave import SAMPLE_RATE
from tests.support.decoded import SECONDS, SPEECH, decode, only, similarity, total_seconds
from tests.support.dummies import dialogue, encode, mix, noise, tone, write_wav

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
    assert np.abs(np.fft.rfft(audio[round(SECONDS * SAMPLE_RATE) :])[: len(audio) // 4]).max() > 1  # still speech


def test_spans_are_cut_in_pauses(tmp_path):
    beat = np.concatenate([tone(0.8, 200), np.zeros(3200, np.float32)])  # a second of tone with a pause at its end
    path = write_wav(tmp_path / "a.wav", np.tile(beat, 20))
    rows = decode(path, max_span_seconds=5.5, span_search_seconds=2.0)
    assert len(rows) >= 4
    for row in rows[:-1]:
        assert row.num_samples <= 5.5 * SAMPLE_RATE
        assert 0.8 < row.end / SAMPLE_RATE % 1 < 1.0
    np.testing.assert_array_equal(np.concatenate([row.audio for row in rows]), only(decode(path)).audio)


@given(
    length=st.integers(1, 60_000),
    limit=st.floats(1.0, 2.0),
    search=st.floats(0.0, 3.0),
    seed=st.integers(0, 100),
)
def test_spans_are_contiguous_and_complete(tmp_path, length, limit, search, seed):
    wave = np.clip(noise(4.0, seed)[:length] * 0.1 + 0.01, -1, 1)
    path = write_wav(tmp_path / "a.wav", wave)
    rows = decode(path, max_span_seconds=limit, span_search_seconds=search)
    assert sum(row.num_samples for row in rows) == length
    assert all(0 < row.num_samples <= round(limit * SAMPLE_RATE) for row in rows)
    expected, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(np.concatenate([row.audio for row in rows]), expected)


def test_quietest_place_lies_within_the_search():
    wave = np.concatenate([noise(1.0), np.zeros(ENERGY_WINDOW, np.float32), noise(0.5, 1)])
    assert quietest(wave, 16_000) == 16_000 + ENERGY_WINDOW // 2
    assert 20_000 <= quietest(wave, len(wave) - 20_000) <= len(wave)
    assert quietest(wave, 0) == len(wave)


def test_memory_is_bounded_by_a_span(tmp_path):
    """An hour takes no more memory than a minute: as samples it is 220 MiB.

    It is read in a process of its own; Linux counts the memory of this one into the `ru_maxrss` of its children.
    """
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", 8_000, 1, "PCM_16") as file:
        minute = mix(tone(60.0, rate=8_000), noise(60.0, rate=8_000), 20)
        for _ in range(60):
            file.write(minute)
    code = (
        "import re, sys; from curation.manifests.records import Source\n"
        "from curation.stages.decode.stage import *\n"
        "config = DecodeConfig(max_span_seconds=60.0); peaks = []\n"
        "for row in decode_spans(Source('a', sys.argv[1]), config):\n"
        "    peaks.append(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024)\n"
        "assert row.last and row.end == 3600 * 16000, row\n"
        "print(peaks[1], peaks[-1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "hour.wav"], capture_output=True, text=True, check=True
    )
    early, late = map(float, done.stdout.split())
    assert late - early < 60, (early, late)
