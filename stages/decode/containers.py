"""The duration that a container declares, and whether it is a count of samples or an estimate.

A count that is larger than what can be decoded means a truncated file; an estimate (an MP3 without its Xing header,
raw AAC) means nothing.
"""

import io
import struct
from typing import Any, BinaryIO, NamedTuple

MAX_DECLARED_SECONDS = 1000 * 3600.0
"""A longer declared duration counts as a damaged header."""

_COUNTING = {"aiff", "au", "caf", "flac", "mov", "ogg", "w64", "wav"}
_MATROSKA = {"matroska", "webm"}
_DECLARING_ENDS = _MATROSKA | {"ogg"}
"""Containers that declare the time stamp at which they end, and not a length."""
_UNKNOWN_DATA_BYTES = 0x7FFF0000
"""A WAV written to a pipe declares a data size near 2^31 (SoX) or 2^32 (FFmpeg): its writer could not know it."""
_TAGS = (b"ID3", b"TAG", b"APETAGEX")
"""What players append to a file."""
_MAX_RIFF_CHUNKS = 64
_CHUNK_HEAD = 8
"""Bytes: the name of a chunk and its size."""
_PCM_TAGS = {1, 3, 6, 7, 0xFFFE}
"""Integer PCM, float, A-law, mu-law, extensible."""


def origin_seconds(container: Any) -> float | None:
    """Time stamp (s) at which a file begins: the earliest of its audio and video streams, as players count."""
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in container.streams
        if stream.type in {"audio", "video"} and stream.start_time is not None and not _is_picture(stream)
    ]
    return min(starts, default=None)


def declared_seconds(container: Any, stream: Any, riff: float | None) -> float | None:
    """Return where the stream ends on the file's clock, as it declares, or the container where it holds only this
    stream; None if unknown.

    `riff` is the result of `riff_seconds`: FFmpeg itself uses the file size of a WAV, which hides a truncation.
    """
    origin = origin_seconds(container) or 0.0
    seconds = riff
    if seconds is None and stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base) - origin
        if not _names(container) & _DECLARING_ENDS and stream.start_time is not None:
            seconds += float(stream.start_time * stream.time_base)
    if seconds is None and len(container.streams) == 1:
        seconds = whole_seconds(container)
    return seconds if seconds is not None and 0.0 < seconds <= MAX_DECLARED_SECONDS else None


def whole_seconds(container: Any) -> float | None:
    """Seconds that the file as a whole declares; None where it does not."""
    if container.duration is None:
        return None
    ends = _names(container) & _DECLARING_ENDS
    return float(container.duration / 1e6 - ((origin_seconds(container) or 0.0) if ends else 0.0))


def counts_samples(container: Any, stream: Any) -> bool:
    """Whether the declared duration counts samples."""
    names = _names(container)
    if "mp3" in names:
        # FFmpeg sets the start time to the encoder delay of the Info/Xing header, which also counts the frames.
        return bool(stream.start_time)
    return bool(names & _COUNTING) or (bool(names & _MATROSKA) and len(container.streams) == 1)


def _names(container: Any) -> set[str]:
    return set(container.format.name.split(","))


def _is_picture(stream: Any) -> bool:
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def riff_seconds(file: BinaryIO) -> float | None:
    """Seconds that the header of a PCM WAV declares; 0 where its writer could not know; None: not a PCM WAV.

    Leaves the file at its start.
    """
    data = _riff_data(file)
    if data is None or (data.is_known and not data.bytes_per_second):
        return None
    return data.size / data.bytes_per_second if data.is_known else 0.0


def undeclared_seconds(file: BinaryIO) -> float:
    """Seconds of a PCM WAV that follow behind the end of the audio that its header declares; 0 where nothing does, or
    what follows are other chunks.

    Leaves the file at its start.
    """
    data = _riff_data(file)
    if data is None or not data.is_known or not data.bytes_per_second:
        return 0.0
    try:
        whole, position = file.seek(0, io.SEEK_END), data.start + data.size + data.size % 2
        for _ in range(_MAX_RIFF_CHUNKS):
            if position + _CHUNK_HEAD > whole:
                return 0.0
            file.seek(position)
            head = file.read(_CHUNK_HEAD)
            if head.startswith(_TAGS) or not head.strip(b"\0"):
                return 0.0
            name, size = struct.unpack("<4sI", head)
            if not (name.isascii() and name.decode().isprintable() and position + _CHUNK_HEAD + size <= whole):
                return (whole - position) / data.bytes_per_second
            position += _CHUNK_HEAD + size + size % 2
        return 0.0
    finally:
        file.seek(0)


class _Data(NamedTuple):
    """Where a WAV keeps its audio."""

    start: int
    size: int
    bytes_per_second: int
    """0 where it is not PCM."""

    @property
    def is_known(self) -> bool:
        """Whether the writer knew the size."""
        return 0 < self.size < _UNKNOWN_DATA_BYTES


def _riff_data(file: BinaryIO) -> _Data | None:
    """The data chunk of a WAV; None where there is none. Leaves the file at its start."""
    try:
        return _walk_riff(file)
    except struct.error:  # the header is truncated
        return None
    finally:
        file.seek(0)


def _walk_riff(file: BinaryIO) -> _Data | None:
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    bytes_per_second = 0
    for _ in range(_MAX_RIFF_CHUNKS):
        name, size = struct.unpack("<4sI", file.read(8))
        start = file.tell()
        if name == b"fmt ":
            tag, _, rate, _, block = struct.unpack("<HHIIH", file.read(14))
            bytes_per_second = rate * block if tag in _PCM_TAGS else 0
        elif name == b"data":
            return _Data(start, size, bytes_per_second)
        file.seek(start + size + size % 2)
    return None
