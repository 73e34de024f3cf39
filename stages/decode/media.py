"""Reads the audio of any file that FFmpeg supports (through PyAV) as a stream of mono float32 blocks at 16 kHz.

Files are opened here and handed to FFmpeg as byte streams, never as names: a path cannot select one of FFmpeg's
protocols, and a playlist cannot make it open anything else. Memory stays bounded whatever a header declares.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from curation.audio.formats import HEADERLESS, NO_PROTOCOLS
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.names import existing
from curation.core.patient_file import PatientFile
from curation.manifests.records import MediaInfo
from curation.stages.decode.blocks import MAX_RATE, MIN_RATE, Joiner, MediaError, mono
from curation.stages.decode.containers import counts_samples, declared_seconds, riff_seconds, undeclared_seconds

OpenFile = Callable[[str], BinaryIO]

MAX_GAPS = 100
"""Number of damaged places after which the rest of a file is skipped."""
MIN_GAP_SECONDS, MAX_GAP_SECONDS = 0.1, 600.0
"""Jumps of the time stamps: shorter ones are jitter of the muxer (or a lost packet), longer ones damaged stamps."""
MAX_PACKET_SECONDS = 10.0
"""No codec puts more into one packet; a longer one is a damaged header."""

MIN_SEEK_SECONDS, PREROLL_SECONDS = 20.0, 2.0
"""A segment is searched for where it begins later than this, and decoding starts so much before it: codecs need some
packets until their output is exact."""
SEARCHABLE = {"wav", "w64", "flac", "mov", "matroska", "webm", "aiff", "au", "caf"}
"""Containers whose time stamps are exact (Matroska's: to 1 ms) wherever reading starts; the others are decoded from the
beginning."""


def open_binary(path: str) -> BinaryIO:
    """Open a local path or an fsspec URL (s3://, https://, memory://, ...) for reading bytes."""
    if "://" not in path:
        return Path(existing(path)).open("rb")
    import fsspec

    file: BinaryIO = fsspec.open(path, "rb").open()
    return file


def open_patiently(path: str) -> BinaryIO:
    """The same, for reading over a moment without an answer of the storage. Raises StorageError for a longer one."""
    return cast("BinaryIO", PatientFile(path, open_binary))


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
    other_tracks: dict[int, float | None] = field(default_factory=dict)
    """Seconds that each other audio track declares, by its number among the audio tracks."""
    undeclared: float = 0.0
    """Seconds of audio behind the end that the header declares, which FFmpeg does not read."""
    first_sample: int = 0
    """Place in the file, at 16 kHz, of what `pieces` gives first; known when it does."""

    @property
    def declared_samples(self) -> int:
        """Samples at 16 kHz that the container declares; 0 if it declares none."""
        return round((self.info.seconds or 0.0) * SAMPLE_RATE)

    def pieces(self, begin: int = 0) -> Iterator[Wave | Gap]:
        """Mono blocks of about `BLOCK_SECONDS` in order, with a `Gap` where audio is missing.

        The first is `first_sample`: 0, or where `begin` is far from it and the container can be searched, a place
        before `begin` (samples at 16 kHz).

        Samples that are not numbers come through as NaN. Raises whatever FFmpeg or the file system raises at the
        place where the stream ends early; what was decoded before that place has been yielded by then.
        """
        if self.stream.codec_context is None:
            msg = "FFmpeg has no decoder for the audio stream: convert the file"
            raise MediaError(msg)
        joiner = Joiner()
        try:
            for part in self._frames_from(begin / SAMPLE_RATE):
                if isinstance(part, Gap):
                    yield joiner.flush()
                    yield part
                else:
                    yield from joiner.feed(mono(part), part.sample_rate)
        except Exception:
            yield joiner.flush()
            raise
        yield joiner.flush()

    def _frames_from(self, begin: float) -> Iterator[Any]:
        """As `_frames`, from the beginning or from a place before `begin` (s), which is set as `first_sample`."""
        start = float((self.stream.start_time or 0) * (self.stream.time_base or 0))
        if begin > MIN_SEEK_SECONDS and set(self.info.container.split(",")) & SEARCHABLE:
            self.container.seek(round((start + begin - PREROLL_SECONDS) * 1e6))
            frames = self._frames()
            first = next(frames, None)
            time = None if first is None or isinstance(first, Gap) else first.time
            if time is not None and time - start <= begin:
                self.first_sample = round((time - start) * SAMPLE_RATE)
                yield first
                yield from frames
                return
            self.container.seek(round(start * 1e6))
        yield from self._frames()

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
def open_media(path: str, open_file: OpenFile = open_binary, track: int | None = None) -> Iterator[Media]:
    """Open an audio track of a file (from 0; None: the best). Raises MediaError without it, and what PyAV or fsspec
    raise.
    """
    import av

    with ExitStack() as stack:
        file = stack.enter_context(open_file(path))
        if not file.seekable():
            file = _seekable_copy(file, stack)
        riff, undeclared = riff_seconds(file), undeclared_seconds(file)
        container = stack.enter_context(av.open(file, metadata_errors="replace", container_options=NO_PROTOCOLS))
        if container.format.name in HEADERLESS:
            msg = "a file without a header does not say its sample rate: convert it to WAV, e.g. with sox -r RATE"
            raise MediaError(msg)
        stream = _chosen(container, track)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all
        seconds = declared_seconds(container, stream, riff)
        info = _describe(container, stream, seconds)
        others = _other_tracks(container, stream)
        yield Media(container, stream, info, counts_samples(container, stream), others, undeclared)


def _chosen(container: Any, track: int | None) -> Any:
    tracks = container.streams.audio
    if track is not None and track >= len(tracks):
        msg = f"no audio track {track}: the file has {len(tracks)}, counted from 0; correct the column `track`"
        raise MediaError(msg)
    stream = container.streams.best("audio") if track is None else tracks[track]
    if stream is None:
        kinds = ", ".join(sorted({other.type for other in container.streams})) or "nothing"
        msg = f"no usable audio stream (streams: {kinds}): remove the file from the inputs, or convert it"
        raise MediaError(msg)
    return stream


def _other_tracks(container: Any, stream: Any) -> dict[int, float | None]:
    whole = None if container.duration is None else container.duration / 1e6
    return {
        number: declared_seconds(container, other, None) or whole
        for number, other in enumerate(container.streams.audio)
        if other.index != stream.index
    }


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
