"""A recording that is a part of its file: the samples of a manifest's offset and duration, and no others."""

from collections.abc import Iterator
from dataclasses import dataclass

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.manifests.records import MediaInfo, Source
from curation.stages.decode.clock import Gap
from curation.stages.decode.media import Media


@dataclass(frozen=True, slots=True)
class Part:
    """The samples (at 16 kHz) of a file that are a recording: from `begin` up to `end`, or up to the file's end."""

    begin: int = 0
    end: int | None = None

    @classmethod
    def of(cls, source: Source) -> "Part":
        """The part that a source says."""
        begin = source.offset or 0.0
        end = None if source.duration is None else round((begin + source.duration) * SAMPLE_RATE)
        return cls(round(begin * SAMPLE_RATE), end)

    def expected(self, info: MediaInfo) -> int:
        """Samples that the recording should have: as the manifest says, else as the file declares (0: it does not)."""
        if self.end is not None:
            return self.end - self.begin
        return max(0, round((info.seconds or 0.0) * SAMPLE_RATE) - self.begin)

    def samples_of(self, seconds: float | None) -> int | None:
        """Samples of another track of the file, so long, in the part; None where its length is not known."""
        if seconds is None:
            return None
        end = round(seconds * SAMPLE_RATE)
        return max(0, (end if self.end is None else min(self.end, end)) - self.begin)

    def pieces(self, media: Media) -> Iterator[Wave | Gap]:
        """The pieces of the file, without what lies outside of the part. Raises as `Media.pieces` does."""
        pieces = media.pieces(self.begin)
        position = None
        for piece in pieces:
            if position is None:
                position = media.first_sample
            length = piece.samples if isinstance(piece, Gap) else len(piece)
            low = max(self.begin, position)
            high = position + length if self.end is None else min(self.end, position + length)
            if isinstance(piece, Gap):
                if high > low or (not length and high >= low):
                    yield Gap(high - low, piece.error)
            elif high > low:
                yield piece[low - position : high - position]
            position += length
            if self.end is not None and position >= self.end:
                return
