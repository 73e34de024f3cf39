"""Diarize: who speaks when, cut into utterances of one speaker; overlapped speech is left out.

Source: GPA (arXiv 2601.10770), data curation: "VAD + diarization into speaker-homogeneous utterances, cross-talk
discarded". The rules for the cuts are in `diarizers.turns`.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.settings import Section
from curation.core.timing import inside_model
from curation.manifests.records import Recording, Segment, Verdict
from curation.models.store import resolve
from curation.stages.base import Stage
from curation.stages.diarize.pauses import Level
from curation.stages.diarize.turns import Piece, TurnRules, cut_turns

MIN_EMBEDDED_SECONDS = 0.4


class DiarizeConfig(Section):
    """How recordings are cut into utterances."""

    pipeline: str = Field(
        "",
        description="A complete pyannote pipeline (path:FOLDER or hf:REPO@REVISION, e.g. "
        "hf:pyannote/speaker-diarization-community-1); empty: the pipeline built from the two models below",
    )
    segmentation: str = Field("pyannote-segmentation", description="segmentation model, a reference")
    embedding: str = Field("ge2e-speaker-encoder", description="GE2E speaker encoder, a reference")
    segmentation_step_seconds: float = Field(0.5, gt=0, le=5, description="step of the 5 s segmentation window (s)")
    segmentation_threshold: float = Field(0.5, gt=0, lt=1, description="probability above which a speaker speaks")
    min_duration_off: float = Field(0.0, ge=0, description="shorter gaps inside a speaker's turn are filled (s)")
    clustering_method: Literal["average", "centroid", "complete", "ward"] = Field(
        "average", description="linkage of the agglomerative clustering"
    )
    clustering_threshold: float = Field(
        0.27,
        gt=0,
        description="distance at which speakers are told apart: cosine for average and complete linkage",
    )
    min_cluster_size: int = Field(
        8, ge=1, description="windows with 1 s or more of a voice below which a cluster joins its nearest larger one"
    )
    min_seconds: float = Field(1.0, ge=0.1, description="shorter utterances are rejected (s)")
    max_seconds: float = Field(20.0, ge=1, description="longer turns are cut at their longest pauses (s)")
    max_pause_seconds: float = Field(0.8, ge=0, description="pause up to which a speaker's turn goes on (s)")
    exclude_overlap: bool = Field(True, description="leave out speech of two or more people at once")  # noqa: FBT003
    overlap_margin_seconds: float = Field(
        1.0, ge=0, description="how far from overlapped speech a pause is looked for at which to cut (s)"
    )
    max_edge_seconds: float = Field(0.3, ge=0, description="how far an edge may move to find silence (s)")
    threads: int = Field(1, ge=1, description="CPU threads of the models")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the pipeline runs")
    sha256: dict[str, str] = Field(
        default_factory=dict,
        description="SHA-256 of checkpoints of the pipeline, by path: segmentation/pytorch_model.bin; a pinned one may "
        "hold a pickle",
    )
    allow_pickle: bool = Field(default=False, description="load checkpoints that could run code")


class Diarize(Stage):
    """Fills `recording.segments`; live ones carry audio, speaker and embedding. Releases the recording's audio.

    It listens to the span as it was decoded: compression and RNNoise bring voices so near to one another that the two
    speakers of pyannote's sample became one. The utterances are cut out of the processed audio.
    """

    name = "diarize"

    def __init__(self, config: DiarizeConfig = DiarizeConfig()) -> None:  # noqa: B008 - it is frozen
        self.config = config
        self.rules = TurnRules(
            min_length=samples(config.min_seconds),
            max_length=samples(config.max_seconds),
            max_pause=samples(config.max_pause_seconds),
            overlap_margin=samples(config.overlap_margin_seconds),
            max_edge=samples(config.max_edge_seconds),
            exclude_overlap=config.exclude_overlap,
        )

    def setup(self) -> None:
        """Load the models."""
        from curation.stages.diarize.pyannote import DiarizationPipeline, prepare_import

        prepare_import()
        import torch

        from curation.stages.diarize.speaker_encoder import GE2E

        torch.set_num_threads(self.config.threads)
        folder = resolve(self.config.embedding)
        self.encoder = GE2E.load(folder / "pretrained.pt" if folder.is_dir() else folder)
        self.pipeline = DiarizationPipeline(self.config, self.encoder)

    def process(self, batch: Sequence[Recording]) -> None:
        """Diarize each recording by itself."""
        for recording in batch:
            self.diarize(recording)

    def diarize(self, recording: Recording) -> None:
        """Set the segments of one recording (or span). Raises ValueError where it has no audio."""
        processed = recording.slice(recording.offset, recording.end)
        wave = peak_normalize(processed if recording.original is None else recording.original)
        with inside_model("diarize.pyannote"):
            turns = self.pipeline(wave)
        pieces = cut_turns(turns, Level(wave), self.rules)
        labels = speaker_labels(pieces)
        recording.segments = [self.segment(piece, labels, recording) for piece in pieces]
        self.embed(recording, wave)
        recording.notes["diarize.speakers"] = str(len(labels))
        recording.audio = recording.original = None

    def segment(self, piece: Piece, labels: dict[str, str], recording: Recording) -> Segment:
        """The segment of a piece, with its audio, or with the verdict that rules it out."""
        start, end = piece.start + recording.offset, piece.end + recording.offset
        segment = Segment(start, end, speaker=labels.get(piece.speaker, ""), verdict=self.verdict(piece))
        if segment.live:
            segment.audio = peak_normalize(recording.slice(start, end))
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

    def embed(self, recording: Recording, wave: Wave) -> None:
        """Give every stretch of one speaker from 0.4 s its speaker embedding (256,), of length 1, from the span."""
        import torch

        spoken = [s for s in recording.segments if s.speaker and s.num_samples >= samples(MIN_EMBEDDED_SECONDS)]
        if not spoken:
            return
        first = recording.offset
        voice = torch.from_numpy(wave).to(self.encoder.device)
        waves = [voice[segment.start - first : segment.end - first] for segment in spoken]
        with inside_model("diarize.ge2e"), torch.inference_mode():
            embeddings = self.encoder.embed(waves).cpu().numpy()
        for segment, embedding in zip(spoken, embeddings, strict=True):
            segment.speaker_embedding = embedding.copy()


def samples(seconds: float) -> int:
    """Seconds as a multiple of 10 ms, in samples."""
    return round(seconds * 100) * (SAMPLE_RATE // 100)


def speaker_labels(pieces: Sequence[Piece]) -> dict[str, str]:
    """S0, S1, … for the pipeline's own labels, in order of first appearance."""
    speakers = dict.fromkeys(piece.speaker for piece in pieces if piece.speaker)
    return {speaker: f"S{number}" for number, speaker in enumerate(speakers)}
