"""Diarize: who speaks when, cut into utterances of one speaker; overlapped speech is excluded.

Source: GPA (arXiv 2601.10770), data curation: "VAD + diarization into speaker-homogeneous utterances, cross-talk
discarded". The rules for the cuts are in `turns.py`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Note, Resources, Score, Use
from curation.core.kinds import make, section_for
from curation.core.timing import inside_model
from curation.manifests.records import Recording, Segment, Verdict, fail
from curation.models.threads import cpu_threads
from curation.stages.base import Stage
from curation.stages.diarize.base import Heard
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.pauses import FRAME, Pauses, stretches
from curation.stages.diarize.registry import DIARIZERS
from curation.stages.diarize.turns import Piece, cut_turns, samples, whole_turn

MIN_EMBEDDED_SECONDS = 0.4
BEYOND = 12
"""Frames (120 ms) beyond an edge in which speech is looked for."""
BESIDE = (
    "the transcript is of the whole recording, of which a part was not decoded or is another span: fetch the file "
    "again, or raise decode.max_span_seconds"
)
Embeddings = npt.NDArray[np.float32]


class Diarize(Stage):
    """Fills `recording.segments`; live ones carry audio, speaker and embedding.

    Its input is the span as decoded: compression and RNNoise make voices so similar that the two speakers of pyannote's
    sample became one. The utterances are cut out of the processed audio, as it is heard and as it is published.
    """

    name = "diarize"
    section = DiarizeConfig
    after = "denoise"
    hears_spans = True
    notes = (Note("diarize.speakers", "number of speakers in the span", "recording"),)
    scores = (
        Score("diarize.overlap", "1", "highest probability of a second voice at once; the diarizer may have none"),
        Score(
            "diarize.homogeneity",
            "1",
            "distance, 0..2, of the voice before and after the moment at which it changes most, from 3 s on: 0 is "
            "homogeneous",
        ),
        Score("diarize.speech_before", "1", "mean probability of speech in the 120 ms before the utterance"),
        Score("diarize.speech_after", "1", "mean probability of speech in the 120 ms after it"),
    )

    resources = Resources(gpus=0.0, memory_gib=0.3)

    @classmethod
    def model_names(cls, section: Any) -> list[str]:
        """The speaker encoder of the utterances; the other models of the section are the diarizer's."""
        return [section.embedding]

    @classmethod
    def adapters(cls, section: DiarizeConfig) -> list[Use]:
        """The diarizer."""
        kind = section.diarizer
        return [Use(f"diarize.{kind}", DIARIZERS[kind], section_for(DIARIZERS, kind, section.settings))]

    def __init__(self, config: DiarizeConfig = DiarizeConfig()) -> None:  # noqa: B008 - it is frozen
        self.config = config
        self.rules = config.rules

    def setup(self) -> None:
        """Load the diarizer and the speaker encoder."""
        from curation.stages.diarize.campplus.encoder import load_encoder

        self.encoder = load_encoder(self.config.embedding)
        self.diarizer = make(DIARIZERS, self.config.diarizer, self.config.settings)
        self.diarizer.load()

    def process(self, batch: Sequence[Recording]) -> None:
        """Diarize each recording by itself."""
        with cpu_threads(self.config.threads):
            for recording in batch:
                self.diarize(recording)

    def diarize(self, recording: Recording) -> None:
        """Set the segments of one recording (or span). Raises ValueError where it has no audio."""
        wave = peak_normalize(recording.slice(recording.offset, recording.end, decoded=True))
        with inside_model(f"diarize.{self.config.diarizer}"):
            heard = self.diarizer.hear(wave)
        cut = whole_turn if self.config.whole else cut_turns
        pieces = cut(heard.turns, Pauses(wave), self.rules, self.crowded(heard))
        labels = speaker_labels(pieces)
        recording.segments = [self.segment(piece, labels, recording) for piece in pieces]
        self.measure(recording, wave, heard)
        recording.notes["diarize.speakers"] = str(len(labels))

    def crowded(self, heard: Heard) -> list[tuple[int, int]]:
        """Stretches in which a second voice is likely, and at some moment of them likelier still: in a single voice the
        probability often rises a little, and seldom high.
        """
        if heard.overlap is None:
            return []
        likely = stretches(heard.overlap > self.config.overlap_threshold)
        onset = self.config.overlap_onset
        return [(start * FRAME, end * FRAME) for start, end in likely if heard.overlap[start:end].max() > onset]

    def segment(self, piece: Piece, labels: dict[str, str], recording: Recording) -> Segment:
        """The segment of a piece, with its audio, or with the verdict that excludes it."""
        start, end = piece.start + recording.offset, piece.end + recording.offset
        verdict = self.verdict(piece) or (self.unfit(recording, piece) if self.config.whole else None)
        segment = Segment(start, end, speaker=labels.get(piece.speaker, ""), verdict=verdict)
        if segment.live:
            segment.audio = peak_normalize(recording.slice(start, end))
            if recording.denoised is not None:
                segment.denoised = peak_normalize(recording.denoised[piece.start : piece.end])
        return segment

    def verdict(self, piece: Piece) -> Verdict | None:
        """Why a piece cannot become an utterance; None where it can."""
        margin, least = self.config.overlap_margin_seconds, self.config.min_seconds
        if piece.kind == "overlap":
            return Verdict("rejected", "diarize.exclude_overlap")
        if piece.kind == "margin":
            return Verdict("rejected", "diarize.overlap_margin_seconds", piece.seconds, margin)
        if piece.seconds < least:
            return Verdict("rejected", "diarize.min_seconds", piece.seconds, least)
        return None

    def unfit(self, recording: Recording, piece: Piece) -> Verdict | None:
        """Why the speech of a recording is no utterance with its transcript; None where it is one."""
        if not recording.source.transcript:
            return Verdict("rejected", "consensus.reference")
        complete = (recording.last and not recording.span) or recording.complete
        seconds = piece.seconds if complete else recording.end / SAMPLE_RATE
        if seconds > self.config.max_seconds:
            return Verdict("rejected", "diarize.max_seconds", seconds, self.config.max_seconds)
        return None if complete else fail(self.name, BESIDE)

    def measure(self, recording: Recording, wave: Wave, heard: Heard) -> None:
        """Set the speaker embedding (192,), unit norm, of every stretch of one speaker from 0.4 s, and the scores of
        the live ones, from the span.
        """
        spoken = [s for s in recording.segments if s.speaker and s.num_samples >= samples(MIN_EMBEDDED_SECONDS)]
        first = recording.offset
        waves = [wave[segment.start - first : segment.end - first] for segment in spoken]
        with inside_model("diarize.campplus"):
            embeddings = self.encoder.embed(waves)
            windows = [self.encoder.windows(part) if s.live else None for s, part in zip(spoken, waves, strict=True)]
        for segment, embedding, voices in zip(spoken, embeddings, windows, strict=True):
            segment.speaker_embedding = embedding
            if voices is not None and len(voices) > 2:
                segment.scores["diarize.homogeneity"] = largest_change(voices)
            start, end = (segment.start - first) // FRAME, -(-(segment.end - first) // FRAME)
            if segment.live and heard.overlap is not None:
                segment.scores["diarize.overlap"] = float(heard.overlap[start:end].max())
            if segment.live and heard.speech is not None:
                segment.scores |= beyond(heard.speech, start, end)


def largest_change(voices: Embeddings) -> float:
    """The largest distance (1 - cosine) of the mean voice before a moment and after it, of (windows, 192), two or more.
    Single windows differ by as much in one voice as in two; means of several do not.
    """
    total = np.cumsum(voices, axis=0, dtype=np.float64)
    before, after = total[:-1], total[-1] - total[:-1]
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return float(1 - ((before * after).sum(axis=1) / lengths).min())


def beyond(speech: npt.NDArray[np.float32], start: int, end: int) -> dict[str, float]:
    """The scores of speech beyond the edges of start..end (frames); none where the recording ends before."""
    sides = {"before": speech[max(start - BEYOND, 0) : start], "after": speech[end : end + BEYOND]}
    return {f"diarize.speech_{side}": float(part.mean()) for side, part in sides.items() if len(part) == BEYOND}


def speaker_labels(pieces: Sequence[Piece]) -> dict[str, str]:
    """S0, S1, … for the diarizer's own labels, in order of first appearance."""
    speakers = dict.fromkeys(piece.speaker for piece in pieces if piece.speaker)
    return {speaker: f"S{number}" for number, speaker in enumerate(speakers)}
