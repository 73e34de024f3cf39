"""The clock of a recording: audio stands where the time stamps of its file say.

Where they leave a hole, nothing was sent or packets were lost on the way: it is silence of that length. Where the hole
was made by damage (the decoder refused packets, or the file holds bytes there that FFmpeg could not read), it is a
`Gap`, which fails. No sample that was decoded is left out or repeated, whatever the stamps say.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from curation.audio.wave import SAMPLE_RATE
from curation.stages.decode.channels import Channels

JITTER_SECONDS = 0.015
"""Stamps that are later than the audio before them by less than this are rounded, or jitter: they add nothing. The
shortest packet that is usual (Opus, 20 ms) is longer."""
LAG_SECONDS = 1.0
"""Stamps that are behind the audio by less than this run slower than it does, and the next hole makes up for it; by
more they have begun anew (files that were joined), and the audio goes on without a hole."""
MAX_JUMP_SECONDS, MAX_SILENCE_SECONDS = 3600.0, 24 * 3600.0
"""A longer jump, and silence of more than this in one recording, come from broken stamps: they add no time."""
OVERHEAD_BYTES = 1000
"""What containers put between packets is seldom more."""
UNREAD = "damaged audio (bytes of the file that FFmpeg cannot read): fetch the file again"


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where audio is damaged: how many samples at 16 kHz are missing (0: unknown), and why."""

    samples: int
    error: str


@dataclass(slots=True)
class Decoded:
    """What a packet gave: audio, or an error."""

    time: float | None
    """Time stamp (s) of its first sample, None where the file has none; its place in the recording once it has one."""
    wave: Channels
    """(channels, samples) at `rate`; empty where the decoder refused the packet."""
    rate: int
    seconds: float
    """Length; 0 where it is not known."""
    size: int = 0
    """Bytes."""
    unread: int = 0
    """Bytes of the file that stand before it and belong to no packet."""
    page: int = -1
    """Where in the file its packet is; the packets of a page of Ogg have one place."""
    error: str = ""


@dataclass(slots=True)
class Clock:
    """Puts what was decoded in its place."""

    origin: float | None = None
    """Time stamp (s) at which the recording begins; None: that of the first packet."""
    position: float = 0.0
    """Seconds of the recording that have been given."""
    _silence: float = 0.0
    _gap: float | None = None
    """Seconds of damage that were not given yet, for `_error`; None: there is none."""
    _error: str = ""
    _open: bool = False
    """Whether the damage goes on up to the next audio, because its length is not known."""
    _unread: int = 0
    _bytes: int = 0
    _heard: float = 0.0
    """Seconds that `_bytes` gave."""

    def placed(self, items: Iterable[Decoded]) -> Iterator[Decoded | Gap]:
        """The audio in order, with silence and gaps between. Raises what `items` raises, after what came before."""
        held: Decoded | None = None
        try:
            for item in items:
                if held is not None:
                    yield from self._place(held, item)
                held = item
        except Exception:
            if held is not None:
                yield from self._place(held, None)
            raise
        if held is not None:
            yield from self._place(held, None)
        yield from self._end_gap()

    def _place(self, item: Decoded, following: Decoded | None) -> Iterator[Decoded | Gap]:
        self._unread += item.unread
        hole = self._hole(item, following)
        if self._open or (hole > JITTER_SECONDS and self._is_damage(hole)):
            self._fail(max(hole, 0.0), self._error or UNREAD)
            self._open, self._unread = False, 0
        elif hole > JITTER_SECONDS:
            yield from self._end_gap()
            yield from self._silent(hole, item.rate)
        if item.error:
            self._fail(item.seconds, item.error)
            self._open = not item.seconds
            self._unread += item.size - round(item.seconds * self._bytes_per_second)
            return
        yield from self._end_gap()
        item.time = self.position
        self.position += item.seconds
        self._unread, self._bytes, self._heard = 0, self._bytes + item.size, self._heard + item.seconds
        yield item

    def _hole(self, item: Decoded, following: Decoded | None) -> float:
        """Seconds between the end of the audio so far and an item; a stamp that cannot be meant makes none."""
        if item.time is None:
            return 0.0
        if self.origin is None:
            self.origin = item.time - self.position
        hole = item.time - self.origin - self.position
        if -LAG_SECONDS <= hole <= JITTER_SECONDS:
            return hole
        if following is not None and following.time is not None:
            # Where the next stamp goes on as if this one were in order, only this one is wrong.
            rest = following.time - self.origin - self.position - item.seconds
            if abs(rest) <= JITTER_SECONDS:
                return 0.0
        if hole > MAX_JUMP_SECONDS or self._silence + hole > MAX_SILENCE_SECONDS:
            self._fail(0.0, f"the time stamps jump by {hole:.0f} s: taken for broken ones, which add no time")
        elif hole > 0:
            return hole
        self.origin = item.time - self.position
        return 0.0

    @property
    def _bytes_per_second(self) -> float:
        return self._bytes / self._heard if self._heard else 0.0

    def _is_damage(self, hole: float) -> bool:
        """Whether the bytes before a hole are as many as the packets that it may have held."""
        return bool(self._heard) and self._unread > OVERHEAD_BYTES + hole * self._bytes_per_second / 2

    def _fail(self, seconds: float, error: str) -> None:
        self._gap = (self._gap or 0.0) + seconds
        self._error = self._error or error
        self.position += seconds

    def _end_gap(self) -> Iterator[Gap]:
        if self._gap is not None:
            yield Gap(round(self._gap * SAMPLE_RATE), self._error)
        self._gap, self._error = None, ""

    def _silent(self, seconds: float, rate: int) -> Iterator[Decoded]:
        left = round(seconds * rate)
        self._silence += left / rate
        while left > 0:
            block = min(left, rate)
            yield Decoded(self.position, np.zeros((1, block), np.float32), rate, block / rate)
            self.position += block / rate
            left -= block


class Unread:
    """Counts the bytes between packets that belong to none: where nothing was sent a container has few, where packets
    were destroyed theirs are still there.
    """

    def __init__(self) -> None:
        self._place = self._end = -1

    def before(self, position: int | None, size: int) -> int:
        """Bytes before a packet at a position of the file; packets of one page have the same."""
        if position is None or position < 0:
            return 0
        unread = 0
        if position != self._place:
            unread = max(0, position - self._end) if self._place >= 0 else 0
            self._place = self._end = position
        self._end += size
        return unread
