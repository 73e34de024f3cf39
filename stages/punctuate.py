"""Punctuate: commas where the speaker pauses, none where speech flows, by the word times of a forced aligner.

Source: the GPA paper, section on data curation. What goes where is in punctuation_rules.py; this file finds the
pauses. A text that cannot be aligned stays as it is: no utterance is lost here.
"""

from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field, model_validator

from curation.manifests.records import SAMPLE_RATE, Recording, Segment, Word
from curation.stages.aligners import ALIGNERS, Aligner, Interval
from curation.stages.base import Stage, StageConfig
from curation.stages.clock import inside_model
from curation.stages.punctuation_rules import refine, revert, split


class PunctuateConfig(StageConfig):
    """Settings of the punctuation stage."""

    aligner: str = Field(default="pocketsphinx", description=f"Forced aligner: {', '.join(ALIGNERS)}, or none")
    insert_pause_ms: float = Field(default=300.0, gt=0, description="Pause from which on a comma is inserted, in ms")
    remove_pause_ms: float = Field(default=50.0, ge=0, description="Pause below which punctuation is removed, in ms")

    @model_validator(mode="after")
    def _check(self) -> "PunctuateConfig":
        if self.aligner not in {*ALIGNERS, "none"}:
            msg = f"punctuate.aligner is {self.aligner!r}; expected one of {', '.join(ALIGNERS)}, none"
            raise ValueError(msg)
        if self.remove_pause_ms > self.insert_pause_ms:
            msg = "punctuate.remove_pause_ms must not be above punctuate.insert_pause_ms"
            raise ValueError(msg)
        return self


class Punctuate(Stage):
    """Sets `text`, `edits`, `words` and the note `punctuate.aligner` of each live segment with a text."""

    name = "punctuate"

    def __init__(self, config: PunctuateConfig | None = None) -> None:
        self.config = config or PunctuateConfig()
        self.aligner: Aligner | None = None

    def setup(self) -> None:
        """Load the aligner."""
        if self.config.aligner != "none":
            self.aligner = ALIGNERS[self.config.aligner]()
            self.aligner.load()

    def process(self, batch: Sequence[Recording]) -> None:
        """Refine the text of every live segment. Running it again gives the same result."""
        for recording in batch:
            for segment in recording.live_segments:
                if segment.text:
                    self._refine(recording, segment)

    def _refine(self, recording: Recording, segment: Segment) -> None:
        original = revert(segment.text, segment.edits)
        words = split(original).words
        placed = self._align(recording, segment, words)
        segment.notes["punctuate.aligner"] = self.aligner.name if self.aligner and placed else "none"
        if placed is None:
            segment.text, segment.edits = original, []
            return
        segment.text, segment.edits = refine(
            original,
            pauses_ms(placed),
            language=segment.language,
            insert_ms=self.config.insert_pause_ms,
            remove_ms=self.config.remove_pause_ms,
            evidence=[hypothesis.text for hypothesis in segment.hypotheses],
        )
        segment.words = timed_words(split(segment.text).words, placed, segment)

    def _align(self, recording: Recording, segment: Segment, words: list[str]) -> list[Interval | None] | None:
        if self.aligner is None or not self.aligner.speaks(segment.language):
            return None
        wave = segment.audio if segment.audio is not None else recording.slice(segment.start, segment.end)
        with inside_model(f"punctuate.{self.aligner.name}"):
            return self.aligner.align(wave, words, segment.language)


def pauses_ms(placed: Sequence[Interval | None]) -> list[float | None]:
    """The pause after each word but the last, in ms; None beside a word without a place."""
    return [
        max(0, right.start - left.end) * 1000 / SAMPLE_RATE if left and right else None
        for left, right in pairwise(placed)
    ]


def timed_words(words: Sequence[str], placed: Sequence[Interval | None], segment: Segment) -> list[Word]:
    """Words with their times in the recording (samples); a word without a place fills what its neighbours leave.

    Where the segment has the same words already, with the confidence of the consensus, that is kept.
    """
    confidences: list[float | None] = [None] * len(words)
    if [word.text.casefold() for word in segment.words] == [word.casefold() for word in words]:
        confidences = [word.confidence for word in segment.words]
    timed = []
    end = 0
    for index, (word, place) in enumerate(zip(words, placed, strict=True)):
        start = place.start if place else end
        following = next((later.start for later in placed[index + 1 :] if later), segment.num_samples)
        end = place.end if place else following
        timed.append(Word(word, segment.start + start, segment.start + end, confidences[index]))
    return timed
