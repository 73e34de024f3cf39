"""Decode: files that are damaged, empty or not media, and storage that fails."""

import struct
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import numpy as np
import pytest

from tests.support.decoded import SPEECH, decode, only, similarity, total_seconds
from tests.support.dummies import encode, speech, tone, write_wav


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
