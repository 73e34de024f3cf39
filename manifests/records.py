"""The records that every stage shares.

A `Recording` is one row of work: a whole recording, or one bounded span of a long one. It holds its `Segment`s.
All times are whole samples at 16 kHz counted from the start of the *recording* (not of the span), so that the
accounting is exact; seconds are derived when something is shown or published.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from curation.audio.wave import Wave

Status = Literal["kept", "rejected", "failed"]
GIVEN = "consensus.reference"
"""A note of segments whose text is the manifest's: no stage changes it."""


@dataclass(slots=True)
class Verdict:
    """The outcome for a segment (or a whole recording), and its cause.

    `reason` of a rejection is the configuration field that caused it (`consensus.max_pwer`), with the measured
    `value` and the `threshold`. `reason` of a failure is the stage (`transcribe`), and `detail` is the error: a
    failure is retried, and never counted as a rejection.
    """

    status: Status
    reason: str = ""
    value: float | None = None
    threshold: float | None = None
    detail: str = ""


@dataclass(slots=True)
class Word:
    """A word with its place in time. `start` and `end` are samples of the recording; `confidence` is 0..1 or None."""

    text: str
    start: int
    end: int
    confidence: float | None = None


@dataclass(slots=True)
class Hypothesis:
    """The output of one ASR system. `error` is set, and `text` empty, where the system failed on this segment."""

    system: str
    text: str
    language: str = ""
    confidence: float | None = None
    """0..1, the geometric mean of the token probabilities where the system gives them."""
    words: list[Word] = field(default_factory=list)
    error: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    """System-specific figures, e.g. `no_speech_probability`, `compression_ratio`."""
    variants: list[str] = field(default_factory=list)
    """Texts of the same system at other speeds, where it is the only one that speaks the language."""


@dataclass(slots=True)
class Edit:
    """One change to the punctuation, with the pause that justified it (for the auditor)."""

    kind: Literal["insert", "remove", "recase"]
    before: str
    """The whole gap between two words (`", "`), or the word that is recased; `after` likewise."""
    after: str
    position: int
    """Index of the word (0-based, in the text before all edits) after which the mark stands or stood; of the word
    itself where it is recased."""
    pause_ms: float | None


@dataclass(slots=True)
class Segment:
    """A stretch of one recording: an utterance, or speech that cannot become one (overlap, too short)."""

    start: int
    end: int
    speaker: str = ""
    """Label within the recording: S0, S1, … in order of first appearance; empty for overlapped speech."""
    verdict: Verdict | None = None
    """Set where the segment is excluded whatever the thresholds; `manifests.verdicts` applies those."""
    scores: dict[str, float] = field(default_factory=dict)
    language: str = ""
    hypotheses: list[Hypothesis] = field(default_factory=list)
    text: str = ""
    words: list[Word] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    """Choices made for this segment, e.g. `consensus.normalizer`, `punctuate.aligner`."""
    speaker_embedding: npt.NDArray[np.float32] | None = None
    audio: Wave | None = None
    """The utterance as models hear it, peak 0.6; None where there is a verdict already."""
    denoised: Wave | None = None
    """The utterance as it is published, peak 0.6, where that differs from `audio`."""

    @property
    def num_samples(self) -> int:
        """Length in samples."""
        return self.end - self.start

    @property
    def live(self) -> bool:
        """True while no stage has excluded the segment."""
        return self.verdict is None

    @property
    def published(self) -> Wave | None:
        """The audio that is published if the segment is kept."""
        return self.audio if self.denoised is None else self.denoised

    def exclude(self, verdict: Verdict) -> None:
        """Give it a verdict, and let go of its audio."""
        self.verdict = verdict
        self.audio = self.denoised = None


@dataclass(slots=True)
class Source:
    """Where a recording comes from, according to the input listing or the manifest."""

    id: str
    path: str
    """Local path or fsspec URL."""
    language: str = ""
    """ISO 639-1 code from the manifest; empty: to be identified."""
    speaker: str = ""
    transcript: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further manifest columns, passed through unchanged (JSON types)."""
    offset: float | None = None
    """Where the recording begins in its file (s); None: it is the whole file."""
    duration: float | None = None
    """Length of the recording (s), where it is a part of its file; None: up to the file's end."""
    track: int | None = None
    """Audio track of the file, from 0; None: the best, as FFmpeg says."""
    channel: int | None = None
    """Channel of the track, from 0, that is the recording; None: all of them, as one."""
    version: str = ""
    """Of the file's content, in a plan as it was listed, in rows as it was read; empty: unknown (`core.file_state`)."""


@dataclass(slots=True)
class MediaInfo:
    """Properties of the file before decoding."""

    sample_rate: int = 0
    channels: int = 0
    codec: str = ""
    container: str = ""
    seconds: float | None = None
    """Duration that the container declares, where it declares one."""
    pcm: str = ""
    """SHA-256 of all samples as decoded (float32 at 16 kHz), hexadecimal; known of the last span only."""


@dataclass(slots=True)
class Recording:
    """One row of work: a recording, or span number `span` of a long one."""

    source: Source
    media: MediaInfo = field(default_factory=MediaInfo)
    span: int = 0
    offset: int = 0
    """First sample of this span in the recording."""
    num_samples: int = 0
    last: bool = True
    """True for the final span of the recording."""
    complete: bool = False
    """Whether it has all the audio of the recording, and only rows of other audio tracks follow."""
    verdict: Verdict | None = None
    """A verdict on the whole row; then it has no segments and no audio."""
    segments: list[Segment] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    audio: Wave | None = None
    """(num_samples,): the whole span as models hear it: compressed and normalised, never denoised."""
    original: Wave | None = None
    """(num_samples,): the span as it was decoded, before loudness: the input of diarization and of quality scores."""
    denoised: Wave | None = None
    """(num_samples,): the span as it is published, where that is denoised."""

    @property
    def end(self) -> int:
        """One past the last sample of this span."""
        return self.offset + self.num_samples

    @property
    def live_segments(self) -> list[Segment]:
        """Segments that no stage has excluded yet."""
        return [segment for segment in self.segments if segment.live]

    def slice(self, start: int, end: int, *, decoded: bool = False) -> Wave:
        """Of `audio`, or of `original` (if there is one) where it is wanted as `decoded`, between two times of the
        recording (samples). Raises ValueError outside this span.
        """
        wave = self.audio if not decoded or self.original is None else self.original
        if wave is None or not self.offset <= start <= end <= self.end:
            msg = f"{self.source.id}: no audio for samples {start}..{end} in span {self.offset}..{self.end}"
            raise ValueError(msg)
        return wave[start - self.offset : end - self.offset]

    def exclude(self, verdict: Verdict) -> None:
        """Give the whole row a verdict: it has no segments then, and no audio."""
        self.verdict = verdict
        self.segments = []
        self.release()

    def release(self) -> None:
        """Let go of the audio of the whole span, once no stage hears it any more."""
        self.audio = self.original = self.denoised = None


def fail(stage: str, error: BaseException | str) -> Verdict:
    """The verdict for an error in `stage`: to be retried, never counted as a rejection."""
    detail = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return Verdict("failed", reason=stage, detail=detail[:2000])
