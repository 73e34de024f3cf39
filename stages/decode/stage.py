"""Decode: any media file to spans of mono float32 audio at 16 kHz, with every second of the source accounted for.

The input stage of the pipeline is a generator, because a recording of hours is cut into bounded spans while it
streams; each cut lies at the quietest place near the nominal end of a span. It never raises for bad media: what
cannot be decoded becomes a row with a verdict.

    for recording in decode_spans(Source(id="talk", path="talk.mp3"), DecodeConfig()):
        ...
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from curation.audio.levels import centred, quietest
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Declared, Resources
from curation.core.errors import StorageError
from curation.core.settings import Section, later_field
from curation.manifests.records import MediaInfo, Recording, Source, Verdict, fail
from curation.stages.decode.blocks import MediaError
from curation.stages.decode.clock import Gap
from curation.stages.decode.media import Media, OpenFile, open_media, open_patiently
from curation.stages.decode.segment import Part

log = logging.getLogger(__name__)


class DecodeConfig(Section):
    """How recordings are decoded and cut into spans."""

    max_span_seconds: float = Field(300.0, ge=1.0, description="Longest span that is processed as one row, in seconds")
    span_search_seconds: float = Field(
        15.0, ge=0, description="A span ends at the quietest place within these seconds before its longest end"
    )
    min_peak: float = Field(
        1e-4, ge=0, description="Spans whose absolute peak (full scale 1) is below this are rejected as silent"
    )
    max_missing_seconds: float = Field(
        0.5, ge=0, description="A file that is shorter than declared by more than this is truncated, in seconds"
    )
    max_missing_fraction: float = Field(
        0.01,
        ge=0,
        description="The same as a fraction of the declared duration (at least 0.15 s); the lesser counts",
    )
    channels: Literal["auto", "mix", "split"] = later_field(
        "mix",
        "Channels: mix makes one recording of them, split makes each a recording of its own, auto those of stereo with "
        "one speaker on each (files are opened for it when they are planned); a manifest can name one (column "
        "`channel`)",
    )
    track: int | None = later_field(
        None,
        "Audio track of files that hold several, from 0; null: the best, as FFmpeg says. The seconds of the others are "
        "rejected; a manifest can name each (column `track`)",
        ge=0,
    )


MIN_MISSING_SECONDS = 0.15
"""Encoder delay and padding make lossy files differ from their declared duration by up to this much."""


_NAME_TRACKS = 'to read it, name it in a manifest: {"path": ..., "track": N}'


class Decode(Declared):
    """Declarations of decoding, which is not a `Stage`: a recording of hours becomes many rows while it streams."""

    name = "decode"
    section = DecodeConfig
    resources = Resources(cpus=0.1)


def decode_spans(source: Source, config: DecodeConfig, *, open_file: OpenFile | None = None) -> Iterator[Recording]:
    """Yield the spans of one source in order: contiguous, numbered from 0, exactly one of them `last`.

    A span carries audio, without its constant part, or a verdict: `failed` with reason `decode` (not decodable, no
    audio stream, nothing in it, samples that are not numbers, the part of a broken or truncated file that is missing),
    or `rejected` with reason `decode.min_peak` (silent) or `decode.track` (other audio tracks of the file, of a segment
    as much of them as of the track that is read, behind its end). Never raises for faults of the media; raises
    StorageError where the storage does not answer.
    """
    spans = _Spans(source, config)
    track = config.track if source.track is None else source.track
    try:
        with open_media(source.path, open_file or open_patiently, track) as media:
            spans.media, media.channel = media.info, source.channel
            if media.other_tracks and source.track is None:
                log.warning("%s has %d more audio tracks, which are not read", source.path, len(media.other_tracks))
            yield from _decode(media, spans)
            if media.separate:
                log.warning("%s has one speaker on each channel, it seems: see decode.channels", source.path)
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - file systems and FFmpeg raise anything; it belongs to this source
        log.warning("decode failed on %s: %s", source.path, error)
        yield spans.failure(explain(error), missing=0)


def explain(error: BaseException) -> str:
    """Describe the fault of a file and its remedy."""
    import av

    if isinstance(error, MediaError):
        return str(error)
    name = type(error).__name__
    if isinstance(error, av.FFmpegError):
        reason = error.strerror or "unknown error"
        return f"{name}: FFmpeg cannot decode it ({reason}); the file is damaged, or not media: fetch it again"
    if isinstance(error, FileNotFoundError):
        return f"{name}: no such file; check the path in the manifest"
    if isinstance(error, PermissionError):
        return f"{name}: permission denied; check its permissions or your credentials"
    return f"{name}: {error}"


def _decode(media: Media, spans: "_Spans") -> Iterator[Recording]:
    broken, gap = "", Gap(0, "")
    pieces = Part.of(spans.source).pieces(media)
    while True:
        try:
            piece = next(pieces, None)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - see decode_spans; audio before the error is used
            log.warning("%s failed after %.2f s: %s", spans.source.path, spans.received / SAMPLE_RATE, error)
            broken = explain(error)
            break
        if piece is None:
            break
        if isinstance(piece, Gap):
            gap = piece
        elif len(piece):
            yield from spans.skip(gap)
            yield from spans.add(piece)
            gap = Gap(0, "")
    yield from _end(media, spans, broken, gap)


def _end(media: Media, spans: "_Spans", broken: str, gap: Gap) -> Iterator[Recording]:
    """The last rows: `gap` is audio that could not be decoded at the very end."""
    part = Part.of(spans.source)
    expected = part.expected(media.info)
    counted = media.counted or part.end is not None
    missing = max(expected - spans.received if counted or broken else 0, gap.samples)
    if not broken and (missing > _tolerated(expected, spans.config) or not spans.received):
        broken = gap.error or (_too_short(part) if missing or part.begin else "")
    undeclared = 0 if part.end is not None else round(media.undeclared * SAMPLE_RATE)
    if not broken and undeclared > MIN_MISSING_SECONDS * SAMPLE_RATE:
        missing = undeclared
        broken = (
            f"the header ends the audio {media.undeclared:.2f} s before the file does: correct it, e.g. with "
            f"sox --ignore-length"
        )
    accounted = spans.source.track is not None or bool(spans.source.channel)  # by another recording of the file
    others = {track: part.samples_of(seconds) for track, seconds in media.other_tracks.items()}
    yield from spans.finish(broken, max(missing, 0), {} if accounted else others)


def _too_short(part: Part) -> str:
    if part.begin or part.end is not None:
        return "the file ends before the segment does: correct offset and duration in the manifest, or fetch it again"
    return "truncated: the file declares more audio than it holds; fetch it again"


def _tolerated(expected: int, config: DecodeConfig) -> float:
    """Missing samples that are not yet a truncation."""
    fraction = max(config.max_missing_fraction * expected, MIN_MISSING_SECONDS * SAMPLE_RATE)
    return min(fraction, config.max_missing_seconds * SAMPLE_RATE)


@dataclass(slots=True)
class _Spans:
    """Collects blocks of one source and cuts them into spans. Holds little more than one span in memory."""

    source: Source
    config: DecodeConfig
    media: MediaInfo = field(default_factory=MediaInfo)
    received: int = 0
    """Samples added so far."""
    _hash: Any = field(default_factory=hashlib.sha256)
    """Of the samples added so far."""
    _blocks: list[Wave] = field(default_factory=list)
    _next: int = 0
    _offset: int = 0

    def add(self, block: Wave) -> Iterator[Recording]:
        """Add a block; yields the spans that it completes."""
        self._blocks.append(block)
        self._hash.update(block.astype("<f4", copy=False).tobytes())
        self.received += len(block)
        limit = round(self.config.max_span_seconds * SAMPLE_RATE)
        while self.received - self._offset > limit:
            audio = np.concatenate(self._blocks)
            cut = quietest(audio[:limit], round(self.config.span_search_seconds * SAMPLE_RATE))
            self._blocks = [audio[cut:].copy()]
            yield self._row(audio[:cut].copy(), last=False)

    def skip(self, gap: Gap) -> Iterator[Recording]:
        """End the span at a gap of the source, and yield it and a failed row for the gap."""
        if not gap.error:
            return
        if self._blocks:
            yield self._row(np.concatenate(self._blocks), last=False)
        self._blocks = []
        self.received += gap.samples
        row = self._next_row(gap.samples, last=False)
        row.verdict = fail("decode", gap.error)
        yield row

    def finish(self, broken: str, missing: int, other_tracks: Mapping[int, int | None]) -> Iterator[Recording]:
        """Yield the final rows: the rest, where the file is `broken` a failed row of `missing` samples, and a rejected
        row for each track that is not read: of so many samples, or as many as the one that is (None).
        """
        audio = np.concatenate([*self._blocks, np.zeros(0, np.float32)])
        self._blocks = []
        length = self.received
        rows = [self._row(audio, last=False)] if len(audio) else []
        if broken:
            rows.append(self.failure(broken, missing))
        elif not len(audio):
            rows.append(self.failure("the audio stream holds no samples; remove the file or fetch it again", missing=0))
        elif self._next == 1:
            rows[0].complete = True
        for track, samples in other_tracks.items():
            rows.append(self._next_row(length if samples is None else samples, last=False))
            rows[-1].verdict = Verdict("rejected", "decode.track", detail=f"audio track {track}: {_NAME_TRACKS}")
        for row in rows:
            row.last = row is rows[-1]
        if length:
            rows[-1].media = replace(self.media, pcm=self._hash.hexdigest())
        yield from rows

    def failure(self, detail: str, missing: int) -> Recording:
        """Make the last row of the source: `missing` samples from here on are not available."""
        row = self._next_row(missing, last=True)
        row.verdict = fail("decode", detail)
        return row

    def _row(self, audio: Wave, *, last: bool) -> Recording:
        row, audio = self._next_row(len(audio), last=last), centred(audio)
        row.verdict = _judge(audio, self.config.min_peak)
        if row.verdict is None:
            row.audio = row.original = audio  # later stages replace `audio`, and never write into it
        return row

    def _next_row(self, num_samples: int, *, last: bool) -> Recording:
        row = Recording(self.source, self.media, self._next, self._offset, num_samples, last)
        self._next += 1
        self._offset += num_samples
        return row


def _judge(audio: Wave, min_peak: float) -> Verdict | None:
    bad = np.flatnonzero(~np.isfinite(audio))
    if len(bad):
        where = f"first at {bad[0] / SAMPLE_RATE:.2f} s of the span"
        return fail("decode", f"{len(bad)} samples are not numbers (NaN, infinite or huge), {where}: export it again")
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < min_peak:
        return Verdict("rejected", "decode.min_peak", value=peak, threshold=min_peak, detail="silent")
    return None
