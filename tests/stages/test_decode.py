"""Decode on real encoders, damaged files and streams."""

import struct
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.records import SAMPLE_RATE, Recording, Source
from curation.stages.decode import ENERGY_WINDOW, DecodeConfig, decode_spans, quietest
from tests.dummies import dialogue, encode, mix, noise, speech, tone, write_wav

SECONDS = 6.0
SPEECH = speech(SECONDS, 3.0)


def decode(path, open_file=None, **config) -> list[Recording]:
    rows = list(decode_spans(Source("talk", str(path)), DecodeConfig(**config), open_file=open_file))
    assert_accounted(rows)
    return rows


def assert_accounted(rows):
    assert [row.last for row in rows] == [False] * (len(rows) - 1) + [True]
    assert [row.span for row in rows] == list(range(len(rows)))
    assert [row.offset for row in rows] == list(np.cumsum([0, *[row.num_samples for row in rows[:-1]]]))
    for row in rows:
        assert (row.audio is None) == (row.verdict is not None)
        assert row.audio is None or (row.audio.dtype == np.float32 and row.audio.shape == (row.num_samples,))


def only(rows: list[Recording]) -> Recording:
    assert len(rows) == 1, [(row.num_samples, row.verdict) for row in rows]
    return rows[0]


def total_seconds(rows) -> float:
    return sum(row.num_samples for row in rows) / SAMPLE_RATE


def similarity(audio, reference) -> float:
    length = min(len(audio), len(reference))
    return float(np.corrcoef(audio[:length], reference[:length])[0, 1])


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


# Nothing usable


def test_missing_file(tmp_path):
    row = only(decode(tmp_path / "none.wav"))
    assert (row.verdict.status, row.verdict.reason, row.num_samples) == ("failed", "decode", 0)
    assert "check the path" in row.verdict.detail


@pytest.mark.parametrize("content", [b"", b"hello\n" * 50, bytes(4000), b"RIFF\x24\x00\x00\x00WAVE", b"fLaC", b"ID3"])
def test_no_media(tmp_path, content, capfd):
    (tmp_path / "a.wav").write_bytes(content)
    row = only(decode(tmp_path / "a.wav"))
    assert (row.verdict.status, row.verdict.reason, row.num_samples) == ("failed", "decode", 0)
    assert "fetch it again" in row.verdict.detail
    assert capfd.readouterr().err == ""


def test_header_only_counts_as_what_it_declares(tmp_path):
    whole = write_wav(tmp_path / "a.wav", SPEECH).read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[:44])
    row = only(decode(tmp_path / "a.wav"))
    assert (row.verdict.status, total_seconds([row])) == ("failed", SECONDS)
    assert "truncated" in row.verdict.detail


def test_no_samples(tmp_path):
    row = only(decode(write_wav(tmp_path / "a.wav", np.zeros(0, np.float32))))
    assert (row.verdict.status, row.num_samples) == ("failed", 0)
    assert "no samples" in row.verdict.detail


def test_no_audio_stream(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    row = only(decode(tmp_path / "a.mp4"))
    assert row.verdict.status == "failed"
    assert "no usable audio stream (streams: video)" in row.verdict.detail


def test_unknown_codec(tmp_path):
    path = write_wav(tmp_path / "a.wav", SPEECH)
    data = bytearray(path.read_bytes())
    data[20:22] = b"\x77\x77"  # the format tag
    path.write_bytes(data)
    row = only(decode(path))
    assert row.verdict.status == "failed"
    assert "no decoder" in row.verdict.detail


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (2_000_000_000, 1), (16_000, 40_000)])
def test_absurd_header(tmp_path, rate, channels):
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 100_036, b"WAVE", b"fmt ", 16, 1, channels, rate,
                         rate * 2 % 2**32, 2 * channels % 65536, 16, b"data", 100_000)  # fmt: skip
    (tmp_path / "a.wav").write_bytes(header + bytes(100_000))
    row = only(decode(tmp_path / "a.wav"))
    assert (row.verdict.status, row.num_samples) == ("failed", 0)


# Unusable samples


def test_silence_is_rejected(tmp_path):
    row = only(decode(write_wav(tmp_path / "a.wav", np.zeros(16_000, np.float32))))
    verdict = row.verdict
    assert (verdict.status, verdict.reason, verdict.value, verdict.threshold) == (
        "rejected",
        "decode.min_peak",
        0,
        1e-4,
    )
    assert row.num_samples == 16_000


def test_only_the_silent_span_is_rejected(tmp_path):
    wave = np.concatenate([tone(2.0), np.zeros(32_000, np.float32), tone(2.0)])
    rows = decode(write_wav(tmp_path / "a.wav", wave), max_span_seconds=2.0, span_search_seconds=0)
    assert [row.verdict and row.verdict.status for row in rows] == [None, "rejected", None]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_samples_that_are_not_numbers(tmp_path, value, rate):
    wave = tone(3.0, rate=rate)
    wave[rate + rate // 2] = value
    rows = decode(write_wav(tmp_path / "a.wav", wave, rate, "FLOAT"), max_span_seconds=1.0, span_search_seconds=0)
    assert [row.verdict and row.verdict.status for row in rows] == [None, "failed", None]
    assert "not numbers" in rows[1].verdict.detail


def test_floats_in_integer_units_are_audio(tmp_path):
    path = write_wav(tmp_path / "a.wav", SPEECH * 32_768, subtype="FLOAT")
    assert similarity(only(decode(path)).audio, SPEECH) > 0.9999


# Damage


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


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_wav_from_a_pipe_declares_nothing(tmp_path, size, subtype):
    path = write_wav(tmp_path / "a.wav", SPEECH, subtype=subtype)
    data = bytearray(path.read_bytes())
    for chunk in (b"data", b"fact"):
        if (place := data.find(chunk)) > 0:
            data[place + (4 if chunk == b"data" else 8) :][:4] = b""
            data[place + (4 if chunk == b"data" else 8) : place + (8 if chunk == b"data" else 12)] = struct.pack(
                "<I", size
            )
    path.write_bytes(data)
    assert only(decode(path)).num_samples == len(SPEECH)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.flac", "flac"), ("b.mp3", "libmp3lame"), ("c.m4a", "aac"), ("d.opus", "libopus")]
)
def test_damage_in_the_middle_costs_only_itself(tmp_path, name, codec):
    path = encode(tmp_path / name, speech(20.0), codec, 48_000)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = np.random.default_rng(0).bytes(6000)
    path.write_bytes(data)
    rows = decode(path)
    lost = [row for row in rows if row.verdict is not None]
    assert lost
    assert all(row.verdict.status == "failed" and row.verdict.reason == "decode" for row in lost)
    assert total_seconds(lost) < 2.0
    assert total_seconds(rows) == pytest.approx(20.0, abs=0.25)
    for row in rows:  # what follows the damage stands where it belongs
        if row.audio is not None and not (name == "b.mp3" and row.span):  # MP3 has no time stamps
            assert similarity(row.audio, speech(20.0)[row.offset :]) > 0.9


def test_playlist_opens_nothing(tmp_path):
    write_wav(tmp_path / "secret.wav", SPEECH)
    (tmp_path / "list.mp3").write_text(f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n")
    assert only(decode(tmp_path / "list.mp3")).verdict.status == "failed"


# Streams


def test_fsspec_url(tmp_path):
    path = encode(tmp_path / "a.m4a", SPEECH, "aac", 44_100)
    with fsspec.open("memory://test_decode/a.m4a", "wb") as file:
        file.write(path.read_bytes())
    assert similarity(only(decode("memory://test_decode/a.m4a")).audio, SPEECH) > 0.98
    assert only(decode("memory://test_decode/none.m4a")).verdict.status == "failed"


class _Handler(BaseHTTPRequestHandler):
    """Serves `content` without range requests; breaks the connection after `limit` bytes."""

    def __init__(self, content, limit, *args):
        self.content, self.limit = content, limit
        super().__init__(*args)

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(self.content[: self.limit])

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(content, limit=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, content, limit))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/a.m4a"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_server_without_range_requests(tmp_path, serve):
    url = serve(encode(tmp_path / "a.m4a", SPEECH, "aac", 44_100).read_bytes())
    assert similarity(only(decode(url)).audio, SPEECH) > 0.98


def test_connection_that_breaks(tmp_path, serve):
    content = write_wav(tmp_path / "a.wav", speech(20.0)).read_bytes()
    rows = decode(serve(content, limit=len(content) // 2))
    assert rows[-1].verdict.status == "failed"
    assert rows[-1].verdict.reason == "decode"


def test_error_of_the_storage_in_the_middle(tmp_path):
    path = write_wav(tmp_path / "a.wav", speech(40.0))

    class Failing:
        def __init__(self):
            self.file = path.open("rb")

        def read(self, size):
            if self.file.tell() > path.stat().st_size // 2:
                msg = "bucket is gone"
                raise ConnectionError(msg)
            return self.file.read(size)

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.file.close()

    good, lost = decode(path, open_file=lambda _: Failing())
    assert lost.verdict.detail == "ConnectionError: bucket is gone"
    assert total_seconds([good, lost]) == 40.0
    np.testing.assert_allclose(good.audio, speech(40.0)[: good.num_samples], atol=1e-4)


def test_memory_is_bounded_by_a_span(tmp_path):
    """An hour takes no more memory than a minute; read in a process of its own, so that the peak is its own."""
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", 8_000, 1, "PCM_16") as file:
        minute = mix(tone(60.0, rate=8_000), noise(60.0, rate=8_000), 20)
        for _ in range(60):
            file.write(minute)
    code = (
        "import resource, sys; from curation.manifests.records import Source; from curation.stages.decode import *\n"
        "config = DecodeConfig(max_span_seconds=60.0); peaks = []\n"
        "for row in decode_spans(Source('a', sys.argv[1]), config):\n"
        "    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
        "assert row.last and row.end == 3600 * 16000, row\n"
        "print(peaks[1], peaks[-1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "hour.wav"], capture_output=True, text=True, check=True
    )
    early, late = map(float, done.stdout.split())
    assert late - early < 20, (early, late)
