"""Boundary: was a word cut at the start or the end of an utterance? Judged by the recording on both sides of the edge.

Source: the GPA paper, section on data curation, which filters mid-word truncation by the energy profile without
details; the score is ours (`curation.audio.cuts`). Speech that goes on across the edge is the definition of a cut, and
the recording is there: the edge is compared with what is around it, as decoded. The score so depends neither on the
noise floor nor on the denoiser. Where diarization says how likely speech is beyond the edge (`diarize.speech_before`,
`diarize.speech_after`), the probability is multiplied by it: loud music goes on across an edge, too.
"""

from collections.abc import Sequence

from curation.audio.cuts import cut_probabilities
from curation.core.declarations import Score
from curation.core.settings import Section, threshold
from curation.manifests.records import Recording
from curation.stages.base import Stage


class BoundaryConfig(Section):
    """Settings of the boundary stage."""

    max_cut: float = threshold(
        0.5,
        "Highest probability, 0..1, that a word is cut at the start or end of the utterance",
        score="boundary.cut",
        rejects=">",
        ge=0,
        le=1,
    )


class Boundary(Stage):
    """Scores each live segment."""

    name = "boundary"
    section = BoundaryConfig
    after = "quality"
    hears_spans = True
    scores = (
        Score("boundary.start", "1", "probability that a word is cut at the start of the utterance"),
        Score("boundary.end", "1", "probability that a word is cut at its end"),
        Score("boundary.cut", "1", "the higher of the two"),
    )

    def __init__(self, config: BoundaryConfig | None = None) -> None:
        self.config = config or BoundaryConfig()

    def process(self, batch: Sequence[Recording]) -> None:
        """Write the scores; the verdict follows from `max_cut` later. Raises ValueError where the audio is gone."""
        for recording in batch:
            if not recording.live_segments:
                continue
            wave = recording.slice(recording.offset, recording.end, decoded=True)
            for segment in recording.live_segments:
                start, end = cut_probabilities(wave, segment.start - recording.offset, segment.end - recording.offset)
                start *= segment.scores.get("diarize.speech_before", 1.0)
                end *= segment.scores.get("diarize.speech_after", 1.0)
                segment.scores |= {"boundary.start": start, "boundary.end": end, "boundary.cut": max(start, end)}
