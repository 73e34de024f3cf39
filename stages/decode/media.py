"""Reads the audio of any file that FFmpeg supports (through PyAV) as a stream of mono float32 blocks at 16 kHz.

Files are opened here and handed to FFmpeg as byte streams, never as names: a path cannot select one of FFmpeg's
protocols, and a playlist cannot make it open anything else. Memory stays bounded whatever a header declares.
"""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from curation.audio.formats import HEADERLESS, NO_PROTOCOLS
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.names import existing
from curation.core.patient_file import PatientFile
from curation.core.stores.protocols import file_system, speaks_s3
from curation.manifests.records import MediaInfo
from curation.stages.decode.blocks import MAX_RATE, MIN_RATE, Joiner, MediaError, planes
from curation.stages.decode.channels import Separation
from curation.stages.decode.clock import Clock, Decoded, Gap, Unread
from curation.stages.decode.containers import (
    counts_samples,
    declared_seconds,
    origin_seconds,
    riff_seconds,
    undeclared_seconds,
    whole_seconds,
)
from curation.stages.decode.ogg import in_pages

OpenFile = Callable[[str], BinaryIO]

MAX_GAPS = 100
"""Number of damaged places after which the rest of a file is skipped."""
MAX_PACKET_SECONDS = 10.0
"""No codec puts more into one packet; a longer one is a damaged header."""

MIN_SEEK_SECONDS, PREROLL_SECONDS = 20.0, 2.0
"""A segment is searched for where it begins later than this, and decoding starts so much before it: codecs need some
packets until their output is exact."""
SEARCHABLE = {"wav", "w64", "flac", "mov", "matroska", "webm", "aiff", "au", "caf"}
"""Containers whose time stamps are exact (Matroska's: to 1 ms) wherever reading starts; the others are decoded from the
beginning."""


def open_binary(path: str, size: int = 0) -> BinaryIO:
    """Open a local path or an fsspec URL (s3://, https://, memory://, ...) for reading bytes.

    `size` in bytes, where it is known, saves asking S3 for it. Raises MediaError for what is no file.
    """
    if "://" not in path:
        found = Path(existing(path))
        if found.exists() and not found.is_file():  # opening a pipe waits for a writer, and /dev/zero has no end
            msg = "it is a folder, a pipe or a device, and no file: correct the path"
            raise MediaError(msg)
        return found.open("rb")
    fs, name = file_system(path)
    known = {"size": size} if size and speaks_s3(fs) else {}
    return cast("BinaryIO", fs.open(name, "rb", **known))


def open_patiently(path: str, size: int = 0) -> BinaryIO:
    """The same, for reading over a moment without an answer of the storage. Raises StorageError for a longer one."""
    return cast("BinaryIO", PatientFile(path, partial(open_binary, size=size)))


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
    origin: float | None = None
    """Time stamp (s) at which the recording begins, with the file's earliest stream; None: there are no stamps."""
    channel: int | None = None
    """The only one to read; None: all, as one."""
    separate: bool = False
    """Whether each channel holds a speaker of its own; known at the end of `pieces`."""
    first_sample: int = 0
    """Place in the file, at 16 kHz, of what `pieces` gives first; known when it does."""

    @property
    def declared_samples(self) -> int:
        """Samples at 16 kHz that the container declares; 0 if it declares none."""
        return round((self.info.seconds or 0.0) * SAMPLE_RATE)

    def pieces(self, begin: int = 0) -> Iterator[Wave | Gap]:
        """Mono blocks of about a second in order, on the recording's clock, with a `Gap` where it is damaged.

        The first is `first_sample`: 0, or where `begin` is far from it and the container can be searched, a place
        before `begin` (samples at 16 kHz).

        Samples that are not numbers come through as NaN. Raises whatever FFmpeg or the file system raises at the
        place where the stream ends early; what was decoded before that place has been yielded by then.
        """
        if self.stream.codec_context is None:
            msg = "FFmpeg has no decoder for the audio stream: convert the file"
            raise MediaError(msg)
        joiner, gaps = Joiner(), 0
        try:
            for part in self._placed(begin / SAMPLE_RATE):
                if not isinstance(part, Gap):
                    yield from joiner.feed(part.wave, part.rate, part.time or 0.0)
                    continue
                yield joiner.flush()
                yield part
                gaps += 1
                if gaps > MAX_GAPS:
                    msg = f"more than {MAX_GAPS} damaged places: the rest is skipped; fetch the file again"
                    raise MediaError(msg)
        except Exception:
            yield joiner.flush()
            raise
        yield joiner.flush()
        self.separate = joiner.separation.is_clear

    def is_separate(self) -> bool:
        """Whether each of two channels holds a speaker of its own, by the beginning of the file; nothing else can be
        read from it then.
        """
        separation = Separation()
        for item in self._decoded():
            separation.feed(item.wave, item.rate)
            if separation.is_full:
                break
        return separation.is_clear

    def _placed(self, begin: float) -> Iterator[Decoded | Gap]:
        """What is decoded, from the beginning or from a place before `begin` (s), which is set as `first_sample`."""
        origin = self.origin or 0.0
        if begin > MIN_SEEK_SECONDS and set(self.info.container.split(",")) & SEARCHABLE:
            self.container.seek(round((origin + begin - PREROLL_SECONDS) * 1e6))
            items = self._decoded()
            first = next(items, None)
            if first is not None and first.time is not None and 0.0 <= first.time - origin <= begin:
                position = first.time - origin
                self.first_sample = round(position * SAMPLE_RATE)
                yield from Clock(origin, position).placed(itertools.chain([first], items))
                return
            self.container.seek(round(origin * 1e6))
        items = self._decoded()
        if self.info.container == "ogg":
            items = in_pages(items, (self.info.seconds or 0.0) + origin)
        yield from Clock(self.origin).placed(items)

    def _decoded(self) -> Iterator[Decoded]:
        """Each frame that is decoded, and each packet that the decoder refuses."""
        import av

        unread, rate, waiting = Unread(), self.info.sample_rate or SAMPLE_RATE, 0
        alone = len(self.container.streams) == 1  # else the packets of other streams stand between
        for packet in self.container.demux(self.stream):
            size = packet.size
            waiting += unread.before(packet.pos, size) if alone else 0
            try:
                frames = packet.decode()
            except av.FFmpegError as error:  # nothing is read here: the packet or its codec is bad
                seconds, fault = _packet_seconds(packet), f"damaged audio ({error.strerror}): fetch the file again"
                time = None if packet.pts is None else float(packet.pts * packet.time_base)
                yield Decoded(time, np.zeros((1, 0), np.float32), rate, seconds, size, waiting, packet.pos or -1, fault)
                waiting = 0
                continue
            for frame in frames:
                wave, rate = planes(frame, self.channel), frame.sample_rate
                yield Decoded(frame.time, wave, rate, wave.shape[1] / rate, size, waiting, packet.pos or -1)
                size = waiting = 0


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
        if not file.read(1):
            msg = "the file is empty: fetch it again"
            raise MediaError(msg)
        file.seek(0)
        riff, undeclared = riff_seconds(file), undeclared_seconds(file)
        container = stack.enter_context(av.open(file, metadata_errors="replace", container_options=NO_PROTOCOLS))
        if container.format.name in HEADERLESS:
            msg = "a file without a header does not say its sample rate: convert it to WAV, e.g. with sox -r RATE"
            raise MediaError(msg)
        stream = _audio_stream(container, track)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all
        seconds = declared_seconds(container, stream, riff)
        info = _describe(container, stream, seconds)
        others = _other_tracks(container, stream)
        counted, origin = counts_samples(container, stream), origin_seconds(container)
        yield Media(container, stream, info, counted, others, undeclared, origin)


def _audio_stream(container: Any, track: int | None) -> Any:
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
    return {
        number: declared_seconds(container, other, None) or whole_seconds(container)
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
