"""Reads the audio of any file that FFmpeg supports (through PyAV) as a stream of mono float32 blocks at 16 kHz.

Files are opened here and handed to FFmpeg as byte streams, never as names: a path cannot select one of FFmpeg's
protocols, and a playlist cannot make it open anything else. Memory stays bounded whatever a header declares.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from curation.audio.formats import HEADERLESS, NO_PROTOCOLS
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.names import existing
from curation.manifests.records import MediaInfo
from curation.stages.decode.containers import counts_samples, declared_seconds, riff_seconds

OpenFile = Callable[[str], BinaryIO]

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Hz. Outside of it a header is damaged, and a resampler for it could need gigabytes."""
MAX_CHANNELS = 64
MAX_GAPS = 100
"""Number of damaged places after which the rest of a file is skipped."""
MIN_GAP_SECONDS, MAX_GAP_SECONDS = 0.1, 600.0
"""Jumps of the time stamps: shorter ones are jitter of the muxer (or a lost packet), longer ones damaged stamps."""
MAX_PACKET_SECONDS = 10.0
"""No codec puts more into one packet; a longer one is a damaged header."""
BLOCK_SECONDS = 1.0
"""Decoded frames (20 ms or so) are joined to blocks of this length before they are resampled."""
LOUDEST = 1e10
"""Float samples beyond it are noise of a damaged file; files in 16- and 32-bit integer units stay below."""

_FULL_SCALE = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0}


class MediaError(ValueError):
    """The file cannot be used; the message names the cause and the remedy."""


def open_binary(path: str) -> BinaryIO:
    """Open a local path or an fsspec URL (s3://, https://, memory://, ...) for reading bytes."""
    if "://" not in path:
        return Path(existing(path)).open("rb")
    import fsspec

    file: BinaryIO = fsspec.open(path, "rb").open()
    return file


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where audio is missing: how many samples at 16 kHz (0: unknown), and why."""

    samples: int
    error: str


@dataclass(slots=True)
class Media:
    """The best audio stream of an open file."""

    container: Any
    stream: Any
    info: MediaInfo
    counted: bool
    """Whether the declared duration counts samples, so that missing ones mean a truncated file."""

    @property
    def declared_samples(self) -> int:
        """Samples at 16 kHz that the container declares; 0 if it declares none."""
        return round((self.info.seconds or 0.0) * SAMPLE_RATE)

    def pieces(self) -> Iterator[Wave | Gap]:
        """Mono blocks of about `BLOCK_SECONDS` in order, with a `Gap` where audio is missing.

        Samples that are not numbers come through as NaN. Raises whatever FFmpeg or the file system raises at the
        place where the stream ends early; what was decoded before that place has been yielded by then.
        """
        if self.stream.codec_context is None:
            msg = "FFmpeg has no decoder for the audio stream: convert the file"
            raise MediaError(msg)
        joiner = _Joiner()
        try:
            for part in self._frames():
                if isinstance(part, Gap):
                    yield joiner.flush()
                    yield part
                else:
                    yield from joiner.feed(mono(part), part.sample_rate)
        except Exception:
            yield joiner.flush()
            raise
        yield joiner.flush()

    def _frames(self) -> Iterator[Any]:
        """Decoded frames, with a `Gap` before each that does not follow on the one before it."""
        import av

        clock, gaps = _Clock(), 0
        for packet in self.container.demux(self.stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:  # nothing is read here: the packet or its codec is bad
                clock.lose(_packet_seconds(packet), f"damaged audio ({error.strerror}): fetch the file again")
                continue
            for frame in frames:
                if (gap := clock.gap_before(frame)) is not None:
                    gaps += 1
                    yield gap
                yield frame
            if gaps > MAX_GAPS:
                msg = f"more than {MAX_GAPS} damaged places: the rest is skipped; fetch the file again"
                raise MediaError(msg)
        if clock.error:
            yield Gap(round(clock.lost * SAMPLE_RATE), clock.error)


@dataclass(slots=True)
class _Clock:
    """Finds holes: packets that were lost, and time stamps that jump where a demuxer skipped damage silently."""

    lost: float = 0.0
    error: str = ""
    _end: float | None = None
    """Time stamp, in seconds, at which the next frame should start."""

    def lose(self, seconds: float, error: str) -> None:
        self.lost, self.error = self.lost + seconds, error

    def gap_before(self, frame: Any) -> Gap | None:
        """The hole before this frame, if there is one; accepts the frame as valid."""
        hole, error, start = self.lost, self.error, frame.time
        if start is not None and self._end is not None:
            hole = start - self._end
        if hole >= MIN_GAP_SECONDS and not error:
            error = "damaged audio (packets are missing): fetch the file again"
        if start is None:
            start = (self._end or 0.0) + self.lost
        self._end = start + frame.samples / frame.sample_rate
        self.lost, self.error = 0.0, ""
        if not error:
            return None
        return Gap(round(hole * SAMPLE_RATE) if 0.0 < hole <= MAX_GAP_SECONDS else 0, error)


@contextmanager
def open_media(path: str, open_file: OpenFile = open_binary) -> Iterator[Media]:
    """Open the best audio stream of a file. Raises MediaError without one, and what PyAV or fsspec raise."""
    import av

    with ExitStack() as stack:
        file = stack.enter_context(open_file(path))
        if not file.seekable():
            file = _seekable_copy(file, stack)
        riff = riff_seconds(file)
        container = stack.enter_context(av.open(file, metadata_errors="replace", container_options=NO_PROTOCOLS))
        if container.format.name in HEADERLESS:
            msg = "a file without a header does not say its sample rate: convert it to WAV, e.g. with sox -r RATE"
            raise MediaError(msg)
        stream = container.streams.best("audio")
        if stream is None:
            kinds = ", ".join(sorted({other.type for other in container.streams})) or "nothing"
            msg = f"no usable audio stream (streams: {kinds}): remove the file from the inputs, or convert it"
            raise MediaError(msg)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all
        seconds = declared_seconds(container, stream, riff)
        yield Media(container, stream, _describe(container, stream, seconds), counts_samples(container, stream))


def mono(frame: Any) -> Wave:
    """Mean of the channels of a decoded frame: (samples,) float32, full scale 1; NaN where it is not a number."""
    _check(frame.sample_rate, frame.layout.nb_channels)
    data: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T  # (channels, samples)
    kind = data.dtype.str[1:]
    if kind == "u1":
        data = data.astype(np.float32) - 128.0
    with np.errstate(invalid="ignore", over="ignore"):  # damaged float samples
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


def _describe(container: Any, stream: Any, seconds: float | None) -> MediaInfo:
    codec = stream.codec_context
    if codec is None:
        return MediaInfo(container=container.format.name, seconds=seconds)
    codec.thread_count = 1
    codec.options = {"err_detect": "crccheck+explode"}  # FLAC: a bad checksum is an error, not a burst of noise
    if not MIN_RATE <= (codec.sample_rate or 0) <= MAX_RATE:
        seconds = None  # a damaged header counts no samples either
    return MediaInfo(codec.sample_rate or 0, codec.channels or 0, codec.name, container.format.name, seconds)


def _packet_seconds(packet: Any) -> float:
    """Length of a packet; 0 where the container does not say."""
    if not packet.duration or packet.time_base is None:
        return 0.0
    return min(max(float(packet.duration * packet.time_base), 0.0), MAX_PACKET_SECONDS)


def _seekable_copy(file: BinaryIO, stack: ExitStack) -> BinaryIO:
    """Copy a stream (a server without range requests) to disk: many containers cannot be read sequentially."""
    copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    shutil.copyfileobj(file, copy)
    copy.seek(0)
    return copy
