"""Settings of any kind: where values come from, what is explained, which fields ask for new labels."""

import re

import pytest
import yaml
from pydantic import Field, ValidationError, field_validator

from curation.core.errors import ConfigError
from curation.core.settings import (
    Section,
    label_fields,
    load_sections,
    merged_with,
    publish_field,
    to_yaml,
    validate_as,
)


class Optimizer(Section):
    steps: int = Field(100, description="steps", ge=1)
    rate: float = Field(0.5, description="rate")


class Run(Section):
    optimizer: Optimizer = Optimizer()
    extra: Optimizer | None = None
    names: list[str] = Field(default_factory=list, description="names")
    shown: bool = publish_field(False, "shown")


def test_overrides_beat_the_file_and_the_file_beats_the_base(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("optimizer: {steps: 2, rate: 2.0}")
    base = {"optimizer": {"steps": 1, "rate": 1.0}, "names": ["kept"]}
    run = load_sections(Run, file, overrides=["optimizer.steps=3"], base=base)
    assert (run.optimizer.steps, run.optimizer.rate, run.names) == (3, 2.0, ["kept"])
    assert base["optimizer"] == {"steps": 1, "rate": 1.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("extra={steps: 7}", Optimizer(steps=7)),
        ("extra=null", None),
        ("names=[a, b]", ["a", "b"]),
        ("names=['a=b']", ["a=b"]),
        ("shown=true", True),
    ],
)
def test_an_override_is_yaml(text, value):
    assert getattr(load_sections(Run, overrides=[text]), text.partition("=")[0]) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.rate=.inf", "optimizer.rate: input should be a finite number"),
        ("optimizer.rate=nan", "optimizer.rate: input should be a finite number"),
        ("optimizer.rate=1e999", "optimizer.rate: input should be a finite number"),
        ("extra.rate=-.inf", "extra.rate: input should be a finite number"),
        ("optimizer.steps=yes", "optimizer.steps: input should be a number, not true or false"),
        ("optimizer.rate=true", "optimizer.rate: input should be a number, not true or false"),
    ],
)
def test_a_number_is_finite_and_no_truth_value(text, message):
    """Infinity became null, and so the default, in the files of a build; `yes` became 1."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_sections(Run, overrides=[text])


def test_a_section_is_merged_and_a_list_is_replaced():
    merged = merged_with({"a": {"x": 1, "y": 2}, "b": [1, 2], "c": 1}, {"a": {"y": 3}, "b": [4], "c": {"z": 1}})
    assert merged == {"a": {"x": 1, "y": 3}, "b": [4], "c": {"z": 1}}


def test_every_mistake_has_a_line_with_its_key_and_the_file(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("optimizer: {stepz: 2, rate: fast}\nextra: {steps: 0}\nname: [x]\n")
    with pytest.raises(ConfigError) as caught:
        load_sections(Run, file)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"{file}: ") for line in lines)
    told = "\n".join(lines)
    assert "optimizer.rate: input should be a valid number" in told
    assert "optimizer.stepz: unknown key; did you mean 'steps'?" in told
    assert "extra.steps: input should be greater than or equal to 1" in told
    assert "name: unknown key; did you mean 'names'?" in told


def test_a_key_that_resembles_none_is_answered_with_all():
    with pytest.raises(ConfigError, match=r"optimizer\.q: unknown key; known keys: rate, steps"):
        load_sections(Run, overrides=["optimizer.q=1"])


class Strict(Section):
    low: int = Field(0, description="low")
    first: int = Field(1, description="first", ge=1)
    second: int = Field(1, description="second", ge=1)
    unknown_key_remedy = "or ask"

    @field_validator("low")
    @classmethod
    def _is_low(cls, value):
        if value > 3:
            msg = "4 is too high"
            raise ValueError(msg)
        return value


def test_a_message_of_a_validator_is_shown_as_it_is():
    with pytest.raises(ConfigError, match=r"^file: low: 4 is too high$"):
        validate_as(Strict, {"low": 4}, "file")


def test_a_message_is_shown_once_with_all_its_places():
    with pytest.raises(ConfigError) as caught:
        validate_as(Strict, {"first": 0, "second": 0, "low": 4}, "file")
    assert str(caught.value).splitlines() == [
        "file: low: 4 is too high",
        "file: first, second: input should be greater than or equal to 1",
    ]


def test_what_a_section_advises_for_unknown_keys_is_said_of_its_own_keys():
    with pytest.raises(ConfigError, match=r"other: unknown key; known keys: first, low, second \(or ask\)$"):
        validate_as(Strict, {"other": 1}, "file")


def test_settings_cannot_change():
    with pytest.raises(ValidationError, match="frozen"):
        Run().optimizer.steps = 2


def test_the_resolved_configuration_holds_every_default():
    assert yaml.safe_load(to_yaml(Run(names=["ä"]))) == {
        "optimizer": {"steps": 100, "rate": 0.5},
        "extra": None,
        "names": ["ä"],
        "shown": False,
    }


def test_fields_of_the_publish_pass_are_no_label_fields():
    assert "shown" not in label_fields(Run())
    assert label_fields(Run(shown=True)) == label_fields(Run())
    assert label_fields(Run(optimizer=Optimizer(steps=5))) != label_fields(Run())


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("optimizer: {steps: 2}\nnames: [a]\noptimizer: {rate: 1.0}", "optimizer", 3),
        ("optimizer:\n  steps: 2\n  steps: 3", "steps", 3),
        ("names:\n- {a: 1, a: 2}", "a", 2),
    ],
)
def test_a_key_that_stands_twice_is_an_error(tmp_path, text, name, line):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"run\.yaml is not valid YAML: '{name}' stands twice\n.*line {line}"):
        load_sections(Run, tmp_path / "run.yaml")
    with pytest.raises(ConfigError, match="'steps' stands twice"):
        load_sections(Run, overrides=["optimizer={steps: 1, steps: 2}"])


def test_anchors_may_be_merged_again_and_again(tmp_path):
    text = "optimizer: &base {steps: 2}\nextra: {<<: *base, steps: 3}"
    (tmp_path / "run.yaml").write_text(text)
    assert load_sections(Run, tmp_path / "run.yaml").extra == Optimizer(steps=3)
