"""The configuration of a build: one validated YAML file over a preset.

    config = load_config("corpus.yaml", preset="offline", overrides=["consensus.max_pwer=0.1"])

A section that is `null` switches its stage off. Fields marked `pass: publish` only decide what is kept.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError

from curation.manifests.speakers import JOIN_THRESHOLD
from curation.stages.base import StageConfig
from curation.stages.boundary import BoundaryConfig
from curation.stages.consensus.stage import ConsensusConfig
from curation.stages.decode.stage import DecodeConfig
from curation.stages.denoise.stage import DenoiseConfig
from curation.stages.diarize.stage import DiarizeConfig
from curation.stages.loudness import LoudnessConfig
from curation.stages.punctuate.stage import PunctuateConfig
from curation.stages.transcribe.stage import TranscribeConfig

PRESETS = Path(__file__).parent / "presets"
Model = TypeVar("Model", bound=BaseModel)


class ConfigError(ValueError):
    """The configuration cannot be used. The message names the file, the key and the remedy."""


def publish_field(default: Any, description: str, **limits: Any) -> Any:
    """A field of the engine or the publish pass: changing it re-runs no labelling."""
    return Field(default, description=description, json_schema_extra={"pass": "publish"}, **limits)


class TokenizeConfig(StageConfig):
    """Which tokenizers encode the kept utterances."""

    glm: str = publish_field(
        "compact", "12.5 tokens/s tokenizer: compact, or a folder or hf: reference of GLM-4-Voice's"
    )
    bicodec: str = publish_field("compact", "50 tokens/s codec: compact, or a folder or hf: reference of BiCodec")
    device: Literal["cpu", "cuda"] = publish_field("cpu", "where official tokenizers run; the compact ones use the CPU")


class PublishConfig(StageConfig):
    """The shape of the shards."""

    shard_hours: float = publish_field(10.0, "hours of speech in a shard, at most", gt=0)
    row_group_rows: int = publish_field(512, "rows of a Parquet row group: what a training job seeks to", ge=1)
    speaker_join_threshold: float = publish_field(
        JOIN_THRESHOLD, "cosine distance below which the speakers of two spans of a recording are one", ge=0, le=2
    )
    audio: bool = publish_field(False, "put each utterance's FLAC into the shards: about 0.1 GiB an hour")  # noqa: FBT003 - a default


class EngineConfig(StageConfig):
    """How the work is spread. Nothing here changes a row."""

    runtime: Literal["ray", "in-process"] = publish_field("ray", "ray, or in-process for debugging and tiny inputs")
    address: str | None = publish_field(None, "Ray cluster to join (`auto` inside one); null starts Ray here")
    workers: int | None = publish_field(
        None, "label workers; null: as many as fit now; on a cluster that grows, as many as it may grow to", ge=1
    )
    worker_cpus: float = publish_field(0.9, "CPUs that a label worker reserves", gt=0)
    worker_gpus: float = publish_field(
        0.0, "GPUs that a worker with models reserves: 0.5 puts two on a GPU, each with all its models", ge=0
    )
    gpu_fallback: bool = publish_field(
        False,  # noqa: FBT003 - a default
        "run models with `device: cuda` on the CPU where there is no GPU; the rows carry a note then",
    )
    decode_cpus: float = publish_field(0.1, "CPUs that a decoding task reserves", gt=0)
    max_worker_gib: float = publish_field(4.0, "GiB of memory above which a worker ends its recording", gt=0)
    timeout_seconds: float = publish_field(1800.0, "seconds after which a stage is taken to hang", gt=0)
    max_failed_fraction: float = publish_field(
        0.05, "exit code 3 when more than this share of the recordings failed", ge=0, le=1
    )
    unit_files: int = Field(4, description="files that are planned as one unit of work, at most", ge=1)
    unit_mib: float = Field(64.0, description="MiB of input in one unit of work, at most", gt=0)
    batch_seconds: float = Field(300.0, description="seconds of audio that are labelled and committed together", gt=0)
    staging_audio: bool = Field(
        True,  # noqa: FBT003 - a default
        description="keep utterance audio (FLAC) in staging: without it nothing can be tokenized",
    )


class BuildConfig(StageConfig):
    """Everything that decides what a build does."""

    decode: DecodeConfig = DecodeConfig()
    loudness: LoudnessConfig = LoudnessConfig()
    denoise: DenoiseConfig | None = DenoiseConfig()
    diarize: DiarizeConfig = DiarizeConfig()
    boundary: BoundaryConfig | None = BoundaryConfig()
    transcribe: TranscribeConfig
    consensus: ConsensusConfig = ConsensusConfig()
    punctuate: PunctuateConfig | None = PunctuateConfig()
    tokenize: TokenizeConfig | None = TokenizeConfig()
    publish: PublishConfig = PublishConfig()
    engine: EngineConfig = EngineConfig()


def load_config(
    file: str | Path | None = None, *, preset: str = "offline", overrides: Iterable[str] = ()
) -> BuildConfig:
    """The preset, changed by the file, changed by `key=value` overrides. Raises ConfigError."""
    merged = _read_yaml(preset_path(preset))
    if file is not None:
        own = _read_yaml(Path(file))
        if "preset" in own:
            merged = _read_yaml(preset_path(own.pop("preset")))
        merged = _merge(merged, own)
    return validate(override(merged, overrides), str(file or f"preset {preset}"))


def load_sections(
    model: type[Model], file: str | Path | None = None, *, overrides: Iterable[str] = (), base: Mapping[str, Any] = {}
) -> Model:
    """Any configuration without presets: `base`, changed by the file, changed by the overrides. Raises ConfigError."""
    merged = _merge(dict(base), _read_yaml(Path(file)) if file is not None else {})
    return validate_as(model, override(merged, overrides), str(file or "configuration"))


def override(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """The values with `key=value` overrides applied. Raises ConfigError."""
    merged = dict(values)
    for text in overrides:
        merged = _merge(merged, _parse_override(text))
    return merged


def validate(values: Mapping[str, Any], origin: str) -> BuildConfig:
    """Check the configuration of a build; `origin` names it in the message of the ConfigError."""
    return validate_as(BuildConfig, values, origin)


def validate_as(model: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """Check a configuration of any kind; `origin` names it in the message of the ConfigError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [f"{origin}: {_explain(model, item['loc'], item['type'], item['msg'])}" for item in error.errors()]
        raise ConfigError("\n".join(lines)) from None


def preset_path(name: str) -> Path:
    """The file of a preset. Raises ConfigError for an unknown name."""
    path = PRESETS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in PRESETS.glob("*.yaml")))
        msg = f"there is no preset {name!r}: choose one of {known}"
        raise ConfigError(msg)
    return path


def to_yaml(config: BaseModel) -> str:
    """The configuration fully resolved, every default included."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def label_settings(config: BuildConfig) -> dict[str, Any]:
    """The settings that the label pass depends on: a build cannot be resumed with others."""
    dumped = {name: getattr(config, name) for name in BuildConfig.model_fields}
    return {name: _label_fields(section) for name, section in dumped.items() if name not in {"tokenize", "publish"}}


def _label_fields(value: Any) -> Any:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        kept = {name for name, field in fields.items() if not _is_publish(field.json_schema_extra)}
        return {name: _label_fields(getattr(value, name)) for name in sorted(kept)}
    if isinstance(value, list | tuple):
        return [_label_fields(item) for item in value]
    return json.loads(json.dumps(value))


def _is_publish(extra: Any) -> bool:
    return isinstance(extra, dict) and extra.get("pass") == "publish"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read the configuration {path}: {error.strerror}"
        raise ConfigError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path} is not valid YAML: {error}"
        raise ConfigError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path}: expected sections such as `consensus:`, found {type(values).__name__}"
        raise ConfigError(msg)
    return values


def _merge(base: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        msg = f"--set {text}: expected key=value, e.g. consensus.max_pwer=0.1"
        raise ConfigError(msg)
    try:
        nested: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        msg = f"--set {text}: the value is not valid YAML ({error})"
        raise ConfigError(msg) from error
    for part in reversed(key.split(".")):
        nested = {part: nested}
    return dict(nested)


def _explain(model: type[BaseModel], location: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(part) for part in location)
    if kind != "extra_forbidden":
        return f"{key}: {message[0].lower()}{message[1:]}"
    known = _known_keys(model, location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    remedy = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"{key}: unknown key; {remedy}"


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    models = [model]
    for part in location:
        if isinstance(part, int) or all(part not in model.model_fields for model in models):
            continue  # an index into a list, or pydantic's name for a member of a union
        models = [
            found
            for model in models
            if part in model.model_fields
            for found in _models_of(model.model_fields[part].annotation)
        ]
    return sorted({name for model in models for name in model.model_fields})


def _models_of(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = get_args(annotation)
    if annotation is not None and getattr(annotation, "__origin__", None) is Annotated:
        inner = inner[:1]
    return [model for item in inner for model in _models_of(item)]
