"""Punctuate: commas where the speaker pauses, none where speech flows, by the word times of a forced aligner.

Source: the GPA paper, section on data curation. The rules are in curation/text/punctuation.py; pauses.py finds the
pauses, and what the ASR systems wrote there is evidence. A text that cannot be aligned stays unchanged: no utterance
is lost here. One of the manifest stays as it is there, and its words get their times.
"""

import logging
from collections.abc import Hashable, Sequence
from typing import Annotated

from pydantic import Field, model_validator

from curation.audio.wave import Wave
from curation.core.declarations import Note, Use
from curation.core.errors import ModelError
from curation.core.kinds import NONE, KindOf, Options, OptionsOf, make, section_for
from curation.core.settings import Section, later_field
from curation.core.timing import inside_model
from curation.manifests.records import GIVEN, Recording, Segment, Word
from curation.stages.base import Stage
from curation.stages.punctuate.base import Aligner, Interval, Placed, Spoken
from curation.stages.punctuate.mfa.models import MfaConfig
from curation.stages.punctuate.pauses import pauses_ms, spoken_words
from curation.stages.punctuate.registry import ALIGNERS
from curation.text.punctuation import PAPER, Limits, refine, revert, split
from curation.text.written import mark_shares

log = logging.getLogger(__name__)


class PunctuateConfig(Section):
    """Settings of the punctuation stage."""

    aligner: Annotated[str, KindOf(ALIGNERS, or_none=True)] = Field(
        default="pocketsphinx", description="Kind of the forced aligner; none: no fallback either"
    )
    fallback: Annotated[str, KindOf(ALIGNERS, or_none=True)] = Field(
        default="whisper",
        description="Aligner where the first one is not installed, does not support the language or finds no alignment",
    )
    options: Annotated[Options, OptionsOf(ALIGNERS)] = later_field(
        {}, "Settings of aligners that have some, by their kind"
    )
    mfa: MfaConfig | None = Field(default=None, description="Models and settings of the aligner mfa")
    insert_pause_ms: float = Field(
        default=PAPER.insert_ms,
        gt=0,
        description="Shortest pause that gets a comma where an ASR system wrote a mark, or none writes marks, in ms",
    )
    unwritten_pause_ms: float = Field(
        default=PAPER.unwritten_ms,
        gt=0,
        description="Shortest pause before a conjunction that gets a comma where no ASR system wrote a mark, in ms",
    )
    remove_pause_ms: float = Field(
        default=PAPER.remove_ms, ge=0, description="Pause below which punctuation is removed, in ms"
    )
    keep_share: float = Field(
        default=PAPER.keep_share,
        ge=0,
        description="Share of the ASR systems, of those that write marks, from which a mark stays without a pause, "
        "0..1; above 1: only pauses count",
    )
    max_speech_ms: float = Field(
        default=80.0, ge=0, description="Speech that a pause may hold, in ms; with more it is none"
    )

    @model_validator(mode="after")
    def _check(self) -> "PunctuateConfig":
        if "mfa" in self.kinds and self.mfa is None:
            msg = "punctuate.aligner is 'mfa': punctuate.mfa.acoustic_model and punctuate.mfa.dictionary are missing"
            raise ValueError(msg)
        for kind in self.kinds:
            section_for(ALIGNERS, kind, self.settings)
        if self.remove_pause_ms > self.insert_pause_ms:
            msg = "punctuate.remove_pause_ms must not be above punctuate.insert_pause_ms"
            raise ValueError(msg)
        return self

    @property
    def kinds(self) -> list[str]:
        """The aligners to try, in order; without the first one none."""
        return (
            []
            if self.aligner == NONE
            else [kind for kind in dict.fromkeys((self.aligner, self.fallback)) if kind != NONE]
        )

    @property
    def limits(self) -> Limits:
        """For `refine`."""
        return Limits(self.insert_pause_ms, self.remove_pause_ms, self.unwritten_pause_ms, self.keep_share)

    @property
    def settings(self) -> dict[str, Section | None]:
        """Settings of the aligners by kind: those of mfa have a separate field, for compatibility."""
        return {"mfa": self.mfa, **self.options}


class Punctuate(Stage):
    """Sets `text`, `edits` and `words` of each live segment with a text."""

    name = "punctuate"
    section = PunctuateConfig
    after = "consensus"
    batched = True
    notes = (Note("punctuate.aligner", "aligner that located the words; none where none could"),)

    def __init__(self, config: PunctuateConfig | None = None) -> None:
        self.config = config or PunctuateConfig()
        self.aligners: list[Aligner] = []

    @classmethod
    def adapters(cls, section: PunctuateConfig) -> list[Use]:
        """The aligners, in order of preference."""
        settings = section.settings
        last = section.kinds[-1:]
        return [
            Use(
                f"punctuate.{kind}",
                ALIGNERS[kind],
                section_for(ALIGNERS, kind, settings),
                instead="" if [kind] == last else last[0],
            )
            for kind in section.kinds
        ]

    def setup(self) -> None:
        """Load the aligners. Raises ModelError where one is missing without a fallback."""
        kinds = self.config.kinds
        for kind in kinds:
            aligner = make(ALIGNERS, kind, self.config.settings)
            try:
                aligner.load()
            except ModelError as error:
                if kind == kinds[-1]:
                    raise
                log.warning("punctuate: %s takes the place of %s: %s", kinds[-1], kind, error)
                continue
            self.aligners.append(aligner)

    def process(self, batch: Sequence[Recording]) -> None:
        """Refine the text of every live segment. Running it again gives the same result."""
        jobs = [(item, segment) for item in batch for segment in item.live_segments if segment.text]
        originals = [revert(segment.text, segment.edits) for _, segment in jobs]
        utterances = [
            Spoken(_wave(recording, segment), spoken_words(split(text)), segment.language, _speaker(recording, segment))
            for (recording, segment), text in zip(jobs, originals, strict=True)
        ]
        aligned = self._align(utterances)  # all or none: may be called again
        for (_, segment), spoken, text, (name, placed) in zip(jobs, utterances, originals, aligned, strict=True):
            segment.notes["punctuate.aligner"] = name
            self._refine(segment, text, spoken.wave, placed)

    def _refine(self, segment: Segment, original: str, wave: Wave, placed: Placed) -> None:
        segment.text, segment.edits = original, []
        if placed is None:
            return
        if GIVEN not in segment.notes:
            writings = writings_of(segment)
            segment.text, segment.edits = refine(
                original,
                pauses_ms(placed, wave, self.config.max_speech_ms),
                language=segment.language,
                limits=self.config.limits,
                shares=mark_shares(original, writings) if self.config.keep_share <= 1 else (),
                evidence=writings,
            )
        segment.words = timed_words(split(segment.text).words, placed, segment)

    def _align(self, utterances: Sequence[Spoken]) -> list[tuple[str, Placed]]:
        """For each utterance the aligner that located its words, and the places; `none` where none could."""
        results: list[tuple[str, Placed]] = [(NONE, None)] * len(utterances)
        for aligner in self.aligners:
            left = [
                index
                for index, spoken in enumerate(utterances)
                if not results[index][1] and aligner.speaks(spoken.language)
            ]
            if not left:
                continue
            with inside_model(f"punctuate.{aligner.kind}"):
                found = aligner.align_all([utterances[index] for index in left])
            for index, placed in zip(left, found, strict=True):
                if placed:
                    results[index] = aligner.kind, placed
        return results


def writings_of(segment: Segment) -> list[str]:
    """What the ASR systems wrote: one text of each, and all that a lone one wrote at several speeds."""
    return [text for item in segment.hypotheses for text in (item.text, *item.variants)]


def _speaker(recording: Recording, segment: Segment) -> Hashable:
    return (recording.source.id, recording.span, segment.speaker) if segment.speaker else None


def _wave(recording: Recording, segment: Segment) -> Wave:
    return segment.audio if segment.audio is not None else recording.slice(segment.start, segment.end)


def timed_words(words: Sequence[str], placed: Sequence[Interval | None], segment: Segment) -> list[Word]:
    """Words with their times in the recording (samples); a word without a place fills the gap between its neighbours.

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
