"""Uploaded recordings in, encoded speech out."""

import io
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import av
import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ConfigError
from curation.serve.errors import ApiError
from curation.train.infer.files import read_recording


@dataclass(frozen=True, slots=True)
class Format:
    """A format of FFmpeg, its codec, and the sample rate of what is sent."""

    muxer: str
    codec: str
    rate: int
    media_type: str
    options: dict[str, str] = field(default_factory=dict)


FORMATS = {
    "wav": Format("wav", "pcm_s16le", SAMPLE_RATE, "audio/wav"),
    "pcm": Format("s16le", "pcm_s16le", 24_000, "audio/pcm"),
    "opus": Format("ogg", "libopus", 48_000, "audio/ogg", {"page_duration": "100000"}),
    "flac": Format("flac", "flac", SAMPLE_RATE, "audio/flac"),
    "mp3": Format("mp3", "libmp3lame", 24_000, "audio/mpeg"),
    "aac": Format("adts", "aac", 24_000, "audio/aac"),
}
"""The names and the rate of `pcm` are those of OpenAI's API. An Ogg page holds 0.1 s instead of 1 s, so that sound
starts early."""


class _Pipe(io.RawIOBase):
    """What FFmpeg writes, to be taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class Encoder:
    """Encodes speech as it comes; the pieces join to a file."""

    def __init__(self, name: str) -> None:
        self._pipe, self._format = _Pipe(), FORMATS[name]
        self._container = av.open(
            cast("BinaryIO", self._pipe), "w", format=self._format.muxer, options=self._format.options, buffer_size=1024
        )
        self._stream = cast("av.AudioStream", self._container.add_stream(self._format.codec, rate=self._format.rate))
        self._stream.layout = "mono"
        self._container.start_encoding()  # writes the header, which speech of no length has too
        self._time = 0

    def feed(self, wave: Wave) -> bytes:
        """Encode (samples,) float32 at 16 kHz; beyond -1..1 it is clipped. What is complete is returned."""
        if len(wave):
            samples = np.clip(wave, -1.0, 1.0).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, self._time
            self._time += len(wave)
            self._container.mux(self._stream.encode(frame))
        return self._pipe.take()

    def finish(self) -> bytes:
        """What is left."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._pipe.take()


def decoded(data: bytes, max_seconds: float, param: str) -> Wave:
    """(samples,) float32 at 16 kHz of an uploaded file, as builds read recordings. Raises ApiError.

    Only these bytes are read: FFmpeg gets neither a name nor a protocol, so a playlist opens nothing.
    """
    try:
        wave = read_recording("upload", open_file=lambda _: io.BytesIO(data), max_seconds=max_seconds)
    except ConfigError as error:
        raise ApiError(400, f"{param}: {error}", param=param, code="invalid_audio") from error
    if not np.any(wave):
        raise ApiError(400, f"{param}: the recording is silent", param=param, code="invalid_audio")
    return wave
