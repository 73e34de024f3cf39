"""Settings of the diarize stage: its own, and those of pyannote, which are in this section for compatibility."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from curation.core.kinds import KindOf, Options, OptionsOf, section_for
from curation.core.settings import Section, later_field, model_field, threshold
from curation.stages.diarize.registry import DIARIZERS
from curation.stages.diarize.turns import TurnRules, samples


class PyannoteConfig(Section):
    """Settings of the diarizer `pyannote`."""

    pipeline: str = model_field(
        "",
        "A complete pyannote pipeline (path:FOLDER or hf:REPO@REVISION, e.g. "
        "hf:pyannote/speaker-diarization-community-1); empty: the two models below",
    )
    segmentation: str = model_field("pyannote-segmentation-3.0", "segmentation model, a reference")
    embedding: str = model_field("campplus", "CAM++ speaker encoder, a reference")
    segmentation_step_seconds: float = Field(2.0, gt=0, le=10, description="step of the segmentation's windows (s)")
    segmentation_threshold: float = Field(0.5, gt=0, lt=1, description="probability above which a speaker is active")
    min_duration_off: float = Field(0.0, ge=0, description="shorter gaps inside a speaker's turn are filled (s)")
    clustering_threshold: float = Field(
        0.55,
        gt=0,
        le=2,
        description="mean distance (1 - cosine) of the turns of two voices at which they are two speakers",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the segmentation, or a complete pipeline, runs")
    sha256: dict[str, str] = Field(
        default_factory=dict,
        description="SHA-256 of checkpoints of the pipeline, by path: segmentation/pytorch_model.bin; a pinned one may "
        "hold a pickle",
    )
    allow_pickle: bool = Field(default=False, description="load checkpoints that could run code")


CUTS = ("min_seconds", "max_seconds", "max_pause_seconds", "max_edge_seconds", "whole")
"""Settings that whoever cuts recordings as a build does must share: the index and checkpoints keep them."""


class DiarizeConfig(PyannoteConfig):
    """How recordings are cut into utterances."""

    diarizer: Annotated[str, KindOf(DIARIZERS)] = later_field("pyannote", "Kind of the diarizer")
    options: Annotated[Options, OptionsOf(DIARIZERS)] = later_field(
        {}, "Settings of diarizers that have some, by their kind"
    )
    min_seconds: float = Field(1.0, ge=0.1, description="shorter utterances are rejected (s)")
    max_seconds: float = Field(20.0, ge=1, description="longer turns are cut at their longest pauses (s)")
    max_pause_seconds: float = Field(0.8, ge=0, description="longest pause within a speaker's turn (s)")
    exclude_overlap: bool = Field(True, description="exclude overlapped speech")  # noqa: FBT003
    whole: bool = later_field(
        False,  # noqa: FBT003 - a default
        "keep each recording as one utterance, from its first speech to its last, because its transcript is of the "
        "whole; one of more than `max_seconds`, or with overlapped speech, is rejected. "
        "`consensus.reference: manifest` switches it on",
    )
    overlap_threshold: float = Field(
        0.12,
        gt=0,
        le=1,
        description="probability of a second voice above which speech counts as overlapped, if it rises above "
        "`overlap_onset` at some moment of the stretch",
    )
    overlap_onset: float = Field(
        0.2, ge=0, le=1, description="probability of a second voice that such a stretch reaches; lower ones stay"
    )
    overlap_margin_seconds: float = Field(
        0.2, ge=0, description="distance from overlapped speech within which a pause to cut at is searched (s)"
    )
    max_overlap: float = threshold(
        1.0,
        "Highest probability, 0..1, of a second voice in an utterance; above `overlap_onset` it is cut out anyway",
        score="diarize.overlap",
        rejects=">",
        required=False,
        off=1.0,
        ge=0,
        le=1,
    )
    max_homogeneity_distance: float = threshold(
        0.6,
        "Largest distance (1 - cosine) of the voice before and after a moment of an utterance of 3 s or more: 0 is one "
        "voice, two are mostly above 0.6",
        score="diarize.homogeneity",
        rejects=">",
        required=False,
        off=2.0,
        ge=0,
        le=2,
    )
    max_edge_seconds: float = Field(0.3, ge=0, description="how far an edge may move to find silence (s)")
    threads: int = Field(1, ge=1, description="CPU threads of the models")

    @model_validator(mode="after")
    def _has_its_settings(self) -> "DiarizeConfig":
        section_for(DIARIZERS, self.diarizer, self.settings)
        return self

    @model_validator(mode="after")
    def _leaves_a_length(self) -> "DiarizeConfig":
        if self.min_seconds > self.max_seconds:
            msg = (
                f"min_seconds {self.min_seconds:g} is above max_seconds {self.max_seconds:g}: no utterance would "
                f"be kept; lower the one or raise the other"
            )
            raise ValueError(msg)
        return self

    @property
    def cuts(self) -> dict[str, Any]:
        """Those of `CUTS`, as plain values."""
        return {name: getattr(self, name) for name in CUTS}

    @property
    def rules(self) -> TurnRules:
        """The rules for the cuts."""
        return TurnRules(
            min_length=samples(self.min_seconds),
            max_length=samples(self.max_seconds),
            max_pause=samples(self.max_pause_seconds),
            overlap_margin=samples(self.overlap_margin_seconds),
            max_edge=samples(self.max_edge_seconds),
            exclude_overlap=self.exclude_overlap,
        )

    @property
    def settings(self) -> dict[str, Section | None]:
        """The settings of each kind of diarizer: those of pyannote are here, those of others in `options`."""
        return {"pyannote": self, **self.options}
