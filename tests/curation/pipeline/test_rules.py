"""Rules: each threshold of a configuration is one, in the order in which a fault explains the others."""

import pytest

from curation.pipeline.config import load_config
from curation.pipeline.rules import rules_of

ORDER = ["boundary.max_cut", "transcribe.min_systems", "consensus.min_words", "consensus.max_pwer"]


def rules(*overrides):
    return {rule.field: rule for rule in rules_of(load_config(overrides=overrides))}


def test_thresholds_by_default():
    assert list(rules()) == ORDER
    assert {rule.score for rule in rules().values()} == {"boundary.cut", "transcribe.systems", "text.words", "pwer"}
    assert all(rule.required for rule in rules().values())


@pytest.mark.parametrize(
    "override", ["boundary.max_cut=0.5", "transcribe.min_systems=3", "consensus.min_words=4", "consensus.max_pwer=0.5"]
)
def test_a_setting_is_the_threshold_of_its_rule_alone(override):
    field, value = override.split("=")
    expected = {**{name: rule.threshold for name, rule in rules().items()}, field: float(value)}
    assert {name: rule.threshold for name, rule in rules(override).items()} == expected


def test_what_is_switched_off_has_no_rule():
    assert list(rules("boundary=null")) == ORDER[1:]
    assert list(rules("consensus.min_confidence=0")) == ORDER
    assert set(rules("consensus.min_confidence=0.5")) == {*ORDER, "consensus.min_confidence"}


def test_one_system_alone_needs_no_pairwise_error_rate():
    required = {name: rule.required for name, rule in rules("transcribe.min_systems=1").items()}
    assert required == {**dict.fromkeys(ORDER, True), "consensus.max_pwer": False}
