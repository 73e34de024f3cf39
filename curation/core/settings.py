"""Settings: validated sections, read from YAML and changed by `key=value` overrides.

    class MyConfig(Section):
        steps: int = Field(100, description="optimizer steps", ge=1)

    config = load_sections(MyConfig, "run.yaml", overrides=["steps=200"])

Fields marked `pass: publish` only decide what is kept, or how it is published: changing them re-runs no labelling.
"""

import difflib
import json
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from curation.core.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
_MERGE = "tag:yaml.org,2002:merge"
EXPLAINED = "explained"
"""Type of pydantic errors whose message stands alone."""
NO_NUMBER = "no_number"
"""Type of those for a truth value where a number is wanted."""


class Section(BaseModel):
    """Base of every configuration section: unknown keys are errors, values cannot change. Numbers are finite (files of
    a build hold them as JSON, which knows no others), and no truth values: YAML takes `yes` and `on` for these.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    unknown_key_remedy: ClassVar[str] = ""
    """What else the message for an unknown key advises."""

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and {int, float} & {annotation, *get_args(annotation)}:
            raise PydanticCustomError(NO_NUMBER, "input should be a number, not true or false")
        return value


def threshold(
    default: float | None,
    description: str,
    *,
    score: str,
    rejects: Literal["<", ">", ">="],
    required: bool | tuple[str, float] = True,
    unless: str = "",
    only: tuple[str, str] | None = None,
    off: float | None = None,
    **limits: Any,
) -> Any:
    """A field that decides what is kept, and the rule for it: a segment is rejected where its `score` is `rejects` this
    value. Changing it re-runs the publish pass and no model.

    A segment without the score is a failure where it is `required`: always, never, or where another field has at least
    a given value: `("transcribe.min_independent", 2)`. One that has the score `unless` is not judged by the rule. With
    the value `off` there is no rule, nor where another field has not the value that `only` gives.
    """
    rule: Any = {"score": score, "rejects": rejects, "required": required, "unless": unless, "only": only, "off": off}
    return Field(default, description=description, json_schema_extra={"pass": "publish", "rule": rule}, **limits)


def publish_field(default: Any, description: str, **limits: Any) -> Any:
    """A field of the engine or the publish pass: changing it re-runs no labelling."""
    return Field(default, description=description, json_schema_extra={"pass": "publish"}, **limits)


def model_field(default: Any, description: str, *, publish: bool = False, **limits: Any) -> Any:
    """A field that names a model: a reference, or another name (`default`, one that the system itself resolves). `plan`
    and `doctor` look for the model. `publish`: a field of the publish pass.
    """
    extra: Any = {"model": True, **({"pass": "publish"} if publish else {})}
    return Field(default, description=description, json_schema_extra=extra, **limits)


def later_field(default: Any, description: str, **limits: Any) -> Any:
    """A field that was added later: builds labelled before it can be resumed while it has its default."""
    return Field(default, description=description, json_schema_extra={"later": True}, **limits)


def extra_of(field: FieldInfo) -> dict[str, Any]:
    """The metadata that `threshold`, `model_field` etc. attach to a field."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def load_sections(
    model: type[Model], file: str | Path | None = None, *, overrides: Iterable[str] = (), base: Mapping[str, Any] = {}
) -> Model:
    """Any configuration without presets: `base`, changed by the file, changed by the overrides. Raises ConfigError."""
    merged = merged_with(dict(base), read_yaml(Path(file)) if file is not None else {})
    return validate_as(model, override(merged, overrides), str(file or "configuration"))


def override(values: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """The values with `key=value` overrides applied. Raises ConfigError."""
    merged = dict(values)
    for text in overrides:
        merged = merged_with(merged, _parse_override(text))
    return merged


def validate_as(model: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """Check a configuration of any kind; `origin` names it in the message of the ConfigError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        places: dict[str, list[str]] = {}
        for item in error.errors():
            message = _explain(model, item["loc"], item["type"], item["msg"])
            places.setdefault(message, []).append(".".join(map(str, item["loc"])))
        lines = [
            ": ".join(filter(None, (origin, ", ".join(dict.fromkeys(at)), message))) for message, at in places.items()
        ]
        raise ConfigError("\n".join(lines)) from None


def validate_inside(section: type[Model], value: Any, at: tuple[str, ...] = ()) -> Model:
    """Check a section whose class is chosen by a value, inside a validator: errors keep their place in the whole
    configuration (`at`: below that of the validator), and name the keys that this section knows.
    """
    try:
        return section.model_validate(value)
    except ValidationError as error:
        details = [
            InitErrorDetails(
                type=PydanticCustomError(
                    EXPLAINED, "{message}", {"message": _explain(section, item["loc"], item["type"], item["msg"])}
                ),
                loc=(*at, *item["loc"]),
                input=item["input"],
            )
            for item in error.errors()
        ]
        raise ValidationError.from_exception_data(section.__name__, details) from None


def to_yaml(config: BaseModel) -> str:
    """The configuration fully resolved, every default included."""
    return yaml.dump(config.model_dump(mode="json"), Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)


def label_fields(value: Any) -> Any:
    """Plain values of a section (or of any value in it) without the fields that are marked `pass: publish`."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        kept = {name for name, field in fields if _decides_labels(field, getattr(value, name))}
        return {name: label_fields(getattr(value, name)) for name in sorted(kept)}
    if isinstance(value, list | tuple):
        return [label_fields(item) for item in value]
    if isinstance(value, dict):
        return {str(name): label_fields(item) for name, item in value.items()}
    return json.loads(json.dumps(value))


def _decides_labels(field: FieldInfo, value: Any) -> bool:
    extra = extra_of(field)
    as_ever = "later" in extra and value == field.get_default(call_default_factory=True)
    return extra.get("pass") != "publish" and not as_ever


def read_yaml(path: Path, remedy: str = "correct it") -> dict[str, Any]:
    """The sections of a YAML file. Raises ConfigError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"cannot read the configuration {path}: {error.strerror}"
        raise ConfigError(msg) from error
    return parse_yaml(content, str(path), remedy)


def parse_yaml(content: bytes, origin: str, remedy: str) -> dict[str, Any]:
    """The sections of a YAML file that was read already; `origin` names it in the message of the ConfigError."""
    try:
        values = _load(content)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-01
        msg = f"{origin} is not valid YAML: {error}: {remedy}"
        raise ConfigError(msg) from error
    if not isinstance(values, dict):
        found = "nothing" if values is None else type(values).__name__
        msg = f"{origin}: expected sections such as `consensus:`, found {found}: {remedy}"
        raise ConfigError(msg)
    return values


class _Strict(yaml.constructor.SafeConstructor):
    """As yaml.safe_load, but a key that stands twice is an error: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        names: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in names and key.tag != _MERGE:
                problem = f"{key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            names.add(str(key.value))
        return super().construct_mapping(node, deep)


class _FastLoader(_Strict, yaml.CSafeLoader):
    """Eight times as fast (libyaml, which PyYAML's wheels carry): builds and commands begin with several files."""


class _ExactLoader(_Strict, yaml.SafeLoader):
    """Its errors show the line."""


def _load(content: bytes | str) -> Any:
    try:
        return _FastLoader(content).get_single_data()
    except yaml.YAMLError:
        return _ExactLoader(content).get_single_data()


def merged_with(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` changed by `change`, section by section; other values are replaced."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = merged_with(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        msg = f"--set {text}: expected key=value, e.g. consensus.max_pwer=0.1"
        raise ConfigError(msg)
    try:
        nested: Any = _load(value)
    except yaml.YAMLError as error:
        msg = f"--set {text}: the value is not valid YAML ({error})"
        raise ConfigError(msg) from error
    for part in reversed(key.split(".")):
        nested = {part: nested}
    return dict(nested)


def _explain(model: type[BaseModel], location: tuple[int | str, ...], kind: str, message: str) -> str:
    if kind == EXPLAINED:
        return message
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind != "extra_forbidden":
        return f"{message[0].lower()}{message[1:]}"
    known = _known_keys(model, location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    remedy = model.unknown_key_remedy if len(location) == 1 and issubclass(model, Section) else ""
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"unknown key; {hint}" + (f" ({remedy})" if remedy else "")


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
