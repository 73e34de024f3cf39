"""The configuration of a build: one validated YAML file over a preset.

    config = load_config("corpus.yaml", preset="offline", overrides=["consensus.max_pwer=0.1"])

A section that is `null` switches its stage off. Fields marked `pass: publish` only decide what is kept. Stages of
installed packages add a section each: `config_class` gives the configuration with them.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer, model_validator

from curation.core.errors import ConfigError
from curation.core.settings import (
    Section,
    label_fields,
    merged_with,
    override,
    publish_field,
    read_yaml,
    validate_as,
)
from curation.manifests.inputs.allowed import InputsConfig
from curation.manifests.speakers import JOIN_THRESHOLD
from curation.manifests.splits.places import SplitConfig
from curation.pipeline.rules import check_number
from curation.stages.base import Stage
from curation.stages.boundary import BoundaryConfig
from curation.stages.consensus.stage import ConsensusConfig
from curation.stages.decode.stage import DecodeConfig
from curation.stages.denoise.stage import DenoiseConfig
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.loudness import LoudnessConfig
from curation.stages.punctuate.stage import PunctuateConfig
from curation.stages.quality.stage import QualityConfig
from curation.stages.registry import STAGES, plug_in_stages
from curation.stages.transcribe.stage import TranscribeConfig
from curation.tokenize.pair import TokenizeConfig

PRESETS = Path(__file__).parent / "presets"


class PublishConfig(Section):
    """The shape of the shards."""

    shard_hours: float = publish_field(10.0, "hours of speech in a shard, at most", ge=0.0005)
    row_group_rows: int = publish_field(512, "rows per Parquet row group, the unit of seeking in training", ge=1)
    speaker_join_threshold: float = publish_field(
        JOIN_THRESHOLD, "cosine distance below which the speakers of two spans of a recording are one", ge=0, le=2
    )
    split: SplitConfig | None = publish_field(
        None, "train, dev and test without leaks; null: none. `curation split` measures the shares"
    )
    tiers: dict[str, list[str]] = publish_field(
        {},
        "tiers of kept utterances by name, best first, each with its rules: a column of numbers of `segments`, a "
        "comparison and a number (`pwer <= 0.02`); an utterance is of the first whose rules it meets",
    )
    audio: bool = publish_field(False, "include each utterance's FLAC in the shards: about 0.1 GiB per hour")  # noqa: FBT003 - a default


class DedupConfig(Section):
    """What a corpus has more than once."""

    exact: bool = publish_field(
        True,  # noqa: FBT003 - a default
        "of recordings with the same decoded samples only the oldest counts: the segments of the others are rejected",
    )
    near: Literal["report", "reject"] = publish_field(
        "report", "reject: of the groups that `curation dedup` found, utterances but the first of each are rejected"
    )


class PoolConfig(Section):
    """A pool of workers of the label pass; null: what its stages and models declare, and as many as are of use."""

    workers: int | None = publish_field(None, "workers in the pool", ge=1)
    cpus: float | None = publish_field(None, "CPUs that each of them reserves", gt=0)
    gpus: float | None = publish_field(None, "GPUs that each of them reserves; shares are rounded up to 1/m", ge=0)


class EngineConfig(Section):
    """How the work is distributed. Nothing here changes a row."""

    runtime: Literal["ray", "in-process"] = publish_field("ray", "ray, or in-process for debugging and tiny inputs")
    address: str | None = publish_field(None, "Ray cluster to join (`auto` inside one); null starts Ray here")
    workers: int | None = publish_field(
        None, "label workers; null: as many as fit now; on an autoscaling cluster, the number to scale to", ge=1
    )
    worker_cpus: float | None = publish_field(
        None, "CPUs that a label worker reserves; null: what its stages need, less what decoding reserves", gt=0
    )
    worker_gpus: float | None = publish_field(
        None,
        "GPUs that a worker with models reserves: 0.5 puts two on a GPU, each with all its models; null: what those of "
        "its models need that have `device: cuda`",
        ge=0,
    )
    pools: Literal["auto", "fused", "separate"] = publish_field(
        "auto",
        "fused: each label worker runs all stages; separate: stages with models and ASR systems have workers of their "
        "own; auto: separate where models have `device: cuda`, the machines have GPUs and room for all pools, and "
        "`worker_cpus` and `worker_gpus` are null",
    )
    pool_settings: dict[str, PoolConfig] = publish_field(
        {}, "settings of separate pools by their name, as `curation plan` shows them"
    )
    dashboard: bool = publish_field(
        False,  # noqa: FBT003 - a default
        "start Ray's dashboard with Ray on this machine; its address is logged",
    )
    gpu_fallback: bool = publish_field(
        False,  # noqa: FBT003 - a default
        "run models with `device: cuda` on the CPU where there is no GPU; a note in the rows says so",
    )
    decode_cpus: float = publish_field(
        0.1, "CPUs that a decoding process reserves; those beside workers with all stages reserve it together", gt=0
    )
    max_worker_gib: float = publish_field(4.0, "GiB of memory above which a worker process is ended", gt=0)
    timeout_seconds: float = publish_field(1800.0, "seconds after which a stage counts as hung", gt=0)
    start_seconds: float = publish_field(
        900.0, "seconds within which a worker process must start, or a machine for it must come", gt=0
    )
    # A worker may need hours for a batch of 2700 s, and all may have begun at the same time.
    stall_seconds: float = publish_field(14400.0, "seconds without any progress after which a build stops", gt=0)
    window_gib: float | None = publish_field(
        None, "GiB of decoded audio under way at most; null: a quarter of Ray's object stores", gt=0
    )
    max_failed_fraction: float = publish_field(
        0.05, "exit code 3 when more than this share of the recordings failed", ge=0, le=1
    )
    max_error_fraction: float = publish_field(
        0.2, "the build stops when an ASR system or a stage raised on more than this share of what it got", ge=0, le=1
    )
    unit_files: int | None = Field(
        None,
        description="recordings in one unit of work, at most; null: from 1 to 263, by how many there are",
        ge=1,
    )
    unit_mib: float | None = Field(
        None, description="MiB of input in one unit of work, at most; null: 64 for each recording", gt=0
    )
    batch_seconds: float | None = Field(
        None,
        description="seconds of audio that are committed together, and labelled together; null: from 300 to 2700, by "
        "how many recordings there are, labelled in groups of 300",
        gt=0,
    )
    staging_audio: bool = Field(
        True,  # noqa: FBT003 - a default
        description="keep utterance audio (FLAC) in staging: without it nothing can be tokenized",
    )


class BuildConfig(Section):
    """Everything that decides what a build does."""

    unknown_key_remedy: ClassVar[str] = "or install the package that provides it"
    inputs: InputsConfig = Field(default_factory=InputsConfig)
    decode: DecodeConfig = Field(default_factory=DecodeConfig)
    loudness: LoudnessConfig = Field(default_factory=LoudnessConfig)
    denoise: DenoiseConfig | None = Field(default_factory=DenoiseConfig)
    diarize: DiarizeConfig = Field(default_factory=DiarizeConfig)
    quality: QualityConfig | None = Field(default_factory=QualityConfig)
    boundary: BoundaryConfig | None = Field(default_factory=BoundaryConfig)
    transcribe: TranscribeConfig
    consensus: ConsensusConfig = Field(default_factory=ConsensusConfig)
    punctuate: PunctuateConfig | None = Field(default_factory=PunctuateConfig)
    tokenize: TokenizeConfig | None = Field(default_factory=TokenizeConfig)
    dedup: DedupConfig = Field(default_factory=DedupConfig)
    publish: PublishConfig = Field(default_factory=PublishConfig)
    engine: EngineConfig = Field(default_factory=EngineConfig)

    @model_validator(mode="after")
    def _keeps_whole_what_has_a_transcript(self) -> Self:
        if self.consensus.reference == "manifest" and not self.diarize.whole:
            whole = self.diarize.model_copy(update={"whole": True})
            object.__setattr__(self, "diarize", whole)  # pydantic's way to change a frozen model in its validator
        return self

    @model_serializer(mode="wrap")
    def _without_absent_plug_ins(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """An unused plug-in leaves no trace: a build can be resumed where its package is not installed."""
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if value is not None or name in BuildConfig.model_fields}

    def __reduce__(self) -> tuple[Any, ...]:
        """Workers recreate the class with the sections of plug-ins: it cannot be imported by name."""
        return _restored, (self.model_dump(mode="json"),)


def config_class() -> type[BuildConfig]:
    """The configuration with a section for each stage of installed packages. Raises ConfigError where two clash."""
    return _with_sections(tuple(plug_in_stages()))


@cache
def _with_sections(stages: tuple[type[Stage], ...]) -> type[BuildConfig]:
    if not stages:
        return BuildConfig
    fields: dict[str, Any] = {}
    for stage in stages:
        if stage.name in BuildConfig.model_fields:
            msg = f"the stage {stage.name!r} of {STAGES.plug_ins[stage.name].distribution} has the name of a section"
            raise ConfigError(msg)
        section = stage.section or Section
        fields[stage.name] = (section | None, Field(default_factory=section if stage.on_by_default else _off))
    return create_model("BuildConfig", __base__=BuildConfig, __module__=__name__, **fields)


def _off() -> None:
    return None


def _restored(values: Mapping[str, Any]) -> BuildConfig:
    return validate(values, "configuration")


def load_config(
    file: str | Path | None = None, *, preset: str = "offline", overrides: Iterable[str] = ()
) -> BuildConfig:
    """The preset, changed by the file, changed by `key=value` overrides. Raises ConfigError."""
    merged = read_yaml(preset_path(preset))
    if file is not None:
        own = read_yaml(Path(file))
        if "preset" in own:
            merged = read_yaml(preset_path(own.pop("preset")))
        merged = merged_with(merged, own)
    return validate(override(merged, overrides), str(file or f"preset {preset}"))


def validate(values: Mapping[str, Any], origin: str) -> BuildConfig:
    """Check the configuration of a build; `origin` names it in the message of the ConfigError."""
    model = config_class()
    for name in set(values) - set(model.model_fields):
        if name in STAGES.plug_ins:
            STAGES[name]  # raises, since it is installed and has no section: with the reason
    config = validate_as(model, values, origin)
    check_number(config, origin)
    return config


def preset_path(name: str) -> Path:
    """The file of a preset. Raises ConfigError for an unknown name."""
    path = PRESETS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in PRESETS.glob("*.yaml")))
        msg = f"there is no preset {name!r}: choose one of {known}"
        raise ConfigError(msg)
    return path


def label_settings(config: BuildConfig) -> dict[str, Any]:
    """The settings that the label pass depends on: a build cannot be resumed with others."""
    sections = {
        name: getattr(config, name)
        for name in type(config).model_fields
        if name not in {"inputs", "tokenize", "dedup", "publish"}
    }
    absent = {name for name, section in sections.items() if section is None and name not in BuildConfig.model_fields}
    return {name: label_fields(section) for name, section in sections.items() if name not in absent}
