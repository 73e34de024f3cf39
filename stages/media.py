"""Reads the audio of any file that FFmpeg knows (through PyAV) as a stream of mono float32 blocks at 16 kHz.

Files are opened here and handed to FFmpeg as byte streams, never as names: a path cannot select one of FFmpeg's
protocols, and a playlist cannot make it open anything else. Memory stays bounded whatever a header declares.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from curation.manifests.records import SAMPLE_RATE, MediaInfo, Wave

OpenFile = Callable[[str], BinaryIO]

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Hz. Outside of it a header is damaged, and a resampler for it could need gigabytes."""
MAX_CHANNELS = 64
MAX_DECLARED_SECONDS = 1000 * 3600.0
"""A longer declared duration is taken for a damaged header."""
BLOCK_SECONDS = 1.0
"""Decoded frames (20 ms or so) are joined to blocks of this length before they are resampled."""
LOUDEST = 1e10
"""Float samples beyond it are noise of a damaged file; files in 16- and 32-bit integer units stay below."""

_EXACT = {"aiff", "au", "caf", "flac", "mov", "ogg", "w64", "wav"}
"""Containers whose stream duration is a count of samples, not an estimate from a bit rate."""
_UNKNOWN_WAV_BYTES = 0x7FFF0000
"""A WAV written to a pipe declares a data size near 2^31 (SoX) or 2^32 (FFmpeg): its writer did not know it."""
_FULL_SCALE = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0}


class MediaError(ValueError):
    """The file cannot be used; the message says why and what to do."""


def open_binary(path: str) -> BinaryIO:
    """Open a local path or an fsspec URL (s3://, https://, memory://, ...) for reading bytes."""
    if "://" not in path:
        return Path(path).open("rb")
    import fsspec

    file: BinaryIO = fsspec.open(path, "rb").open()
    return file


@dataclass(slots=True)
class Media:
    """The best audio stream of an open file."""

    container: Any
    stream: Any
    info: MediaInfo
    exact: bool
    """Whether the declared duration counts samples, so that missing ones mean a truncated file."""

    @property
    def declared_samples(self) -> int:
        """Samples at 16 kHz that the container declares; 0 if it does not say."""
        return round((self.info.seconds or 0.0) * SAMPLE_RATE)

    def blocks(self) -> Iterator[Wave]:
        """Mono blocks of about `BLOCK_SECONDS`, in order; samples that are not numbers come through as NaN.

        Raises whatever FFmpeg or the file system raises at the place where the stream breaks; what was decoded
        before that place has been yielded by then.
        """
        joiner = _Joiner()
        try:
            for frame in self.container.decode(self.stream):
                yield from joiner.feed(mono(frame), frame.sample_rate)
        except Exception:
            yield joiner.flush()
            raise
        yield joiner.flush()


@contextmanager
def open_media(path: str, open_file: OpenFile = open_binary) -> Iterator[Media]:
    """Open the best audio stream of a file. Raises MediaError without one, and what PyAV or fsspec raise."""
    import av

    with (
        open_file(path) as file,
        av.open(file, metadata_errors="replace", container_options={"protocol_whitelist": "none"}) as container,
    ):
        stream = container.streams.best("audio")
        if stream is None:
            kinds = ", ".join(sorted({other.type for other in container.streams})) or "nothing"
            msg = f"no audio stream (the file holds {kinds}): remove it from the inputs"
            raise MediaError(msg)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all
        stream.codec_context.thread_count = 1
        yield Media(container, stream, _describe(container, stream), _counts_samples(container))


def mono(frame: Any) -> Wave:
    """Mean of the channels of a decoded frame: (samples,) float32, full scale 1; NaN where it is not a number."""
    _check(frame.sample_rate, frame.layout.nb_channels)
    data: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T  # (channels, samples)
    kind = data.dtype.str[1:]
    if kind == "u1":
        data = data.astype(np.float32) - 128.0
    wave = data.mean(axis=0, dtype=np.float64) / _FULL_SCALE.get(kind, 1.0)
    if kind in {"f4", "f8"}:
        wave[~(np.abs(wave) <= LOUDEST)] = np.nan
    return np.asarray(wave, dtype=np.float32)


class _Joiner:
    """Joins frames to blocks and resamples them; a new resampler starts where the sample rate changes."""

    def __init__(self) -> None:
        self._rate = 0
        self._resampler: Any = None
        self._frames: list[Wave] = []
        self._waiting = 0

    def feed(self, wave: Wave, rate: int) -> Iterator[Wave]:
        if rate != self._rate:
            yield self.flush()
            self._rate, self._resampler = rate, _resampler(rate)
        self._frames.append(wave)
        self._waiting += len(wave)
        if self._waiting >= BLOCK_SECONDS * rate:
            yield self._resample(last=False)

    def flush(self) -> Wave:
        return self._resample(last=True)

    def _resample(self, *, last: bool) -> Wave:
        wave = np.concatenate([*self._frames, np.zeros(0, np.float32)])
        self._frames, self._waiting = [], 0
        if self._resampler is None:
            return wave
        resampled: Wave = self._resampler.resample_chunk(wave, last=last)
        if last:
            self._rate, self._resampler = 0, None
        return resampled


def _resampler(rate: int) -> Any:
    import soxr

    return None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="VHQ")


def _check(rate: int, channels: int) -> None:
    if not (MIN_RATE <= rate <= MAX_RATE and 1 <= channels <= MAX_CHANNELS):
        msg = (
            f"{rate} Hz with {channels} channels is outside of {MIN_RATE}..{MAX_RATE} Hz and 1..{MAX_CHANNELS}: "
            f"the header is probably damaged; convert the file, or fetch it again"
        )
        raise MediaError(msg)


def _describe(container: Any, stream: Any) -> MediaInfo:
    codec = stream.codec_context
    return MediaInfo(
        sample_rate=codec.sample_rate or 0,
        channels=codec.channels or 0,
        codec=codec.name,
        container=container.format.name,
        seconds=_declared_seconds(container, stream),
    )


def _declared_seconds(container: Any, stream: Any) -> float | None:
    """Read what the audio stream declares, or the container, where it holds nothing but this stream."""
    seconds = None
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None and len(container.streams) == 1:
        seconds = container.duration / 1e6
    if seconds is None or not 0.0 < seconds <= MAX_DECLARED_SECONDS:
        return None
    if container.format.name == "wav":
        frame_bytes = (stream.codec_context.format.bytes or 0) * (stream.codec_context.channels or 0)
        if seconds * stream.codec_context.sample_rate * frame_bytes >= _UNKNOWN_WAV_BYTES > container.size:
            return None
    return seconds


def _counts_samples(container: Any) -> bool:
    names = set(container.format.name.split(","))
    return bool(names & _EXACT) or (bool(names & {"matroska", "webm"}) and len(container.streams) == 1)
