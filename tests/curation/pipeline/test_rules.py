"""Rules: each threshold of a configuration is one, in the order in which a fault explains the others."""

import pytest

from curation.pipeline.config import load_config
from curation.pipeline.rules import rules_of

SCORES = {
    "diarize.max_homogeneity_distance": "diarize.homogeneity",
    "boundary.max_cut": "boundary.cut",
    "transcribe.min_independent": "transcribe.systems",
    "transcribe.min_language_probability": "language.probability",
    "consensus.min_words": "text.words",
    "consensus.max_pwer": "pwer",
    "consensus.max_self_inconsistency": "consensus.self_inconsistency",
    "consensus.min_self_confidence": "confidence",
    "consensus.max_characters_per_second": "text.characters_per_second",
    "consensus.max_compression_ratio": "text.compression_ratio",
    "consensus.max_repeated_trigrams": "text.repeated_trigram_share",
}
ORDER = list(SCORES)


def rules(*overrides):
    return {rule.field: rule for rule in rules_of(load_config(overrides=overrides))}


def test_thresholds_by_default():
    assert list(rules()) == ORDER
    assert {rule.field: rule.score for rule in rules().values()} == SCORES
    optional = {rule.field for rule in rules().values() if not rule.required}
    assert optional == {
        "diarize.max_homogeneity_distance",
        "transcribe.min_language_probability",
        *(name for name in ORDER if name.startswith("consensus.max_") and name != "consensus.max_self_inconsistency"),
    }


@pytest.mark.parametrize(
    "override",
    [
        "boundary.max_cut=0.6",
        "transcribe.min_independent=3",
        "consensus.min_words=4",
        "consensus.max_pwer=0.5",
        "consensus.max_self_inconsistency=0.5",
        "consensus.min_self_confidence=0.5",
        "consensus.max_characters_per_second=25",
        "consensus.max_compression_ratio=2",
        "consensus.max_repeated_trigrams=0.5",
    ],
)
def test_a_setting_is_the_threshold_of_its_rule_alone(override):
    field, value = override.split("=")
    expected = {**{name: rule.threshold for name, rule in rules().items()}, field: float(value)}
    assert {name: rule.threshold for name, rule in rules(override).items()} == expected


def test_what_is_switched_off_has_no_rule():
    assert list(rules("boundary=null")) == [ORDER[0], *ORDER[2:]]
    assert list(rules("consensus.min_confidence=0")) == ORDER
    assert set(ORDER) - set(rules("consensus.min_self_confidence=0")) == {"consensus.min_self_confidence"}
    assert set(rules("consensus.min_confidence=0.5")) == {*ORDER, "consensus.min_confidence"}


def test_an_utterance_has_one_of_the_two_error_rates_and_two_systems_have_that_of_pairs():
    for field in ("consensus.max_self_inconsistency", "consensus.min_self_confidence"):
        assert rules()[field].unless == "pwer"
        assert rules()[field].required
    assert rules("transcribe.min_independent=2")["consensus.max_pwer"].required


def test_where_transcripts_are_checked_agreement_is_none():
    given = rules("consensus.reference=manifest", "consensus.min_confidence=0.5")
    agreement = {"transcribe.min_language_probability", "consensus.max_pwer", "consensus.max_self_inconsistency"}
    agreement |= {"consensus.min_self_confidence"}
    assert set(given) == {*ORDER, "consensus.max_reference_wer"} - agreement
    assert given["consensus.max_reference_wer"].required


def test_a_system_that_is_not_heard_at_other_speeds_is_judged_by_its_confidence():
    assert not rules("transcribe.speed_change=0")["consensus.max_self_inconsistency"].required
    assert "consensus.min_self_confidence" in rules("transcribe.speed_change=0")


@pytest.mark.parametrize("name", ["characters_per_second", "compression_ratio", "repeated_trigrams"])
def test_a_limit_of_texts_can_be_switched_off(name):
    assert set(ORDER) - set(rules(f"consensus.max_{name}=null")) == {f"consensus.max_{name}"}


@pytest.mark.parametrize(
    ("override", "score"),
    [
        ("quality.min_snr_db=10", "quality.snr_db"),
        ("quality.min_bandwidth_hz=7000", "quality.bandwidth_hz"),
        ("quality.max_clipped_share=0", "quality.clipped_share"),
        ("quality.min_dnsmos=2.5", "quality.dnsmos.ovrl"),
        ("consensus.max_no_speech=0.8", "text.no_speech_probability"),
    ],
)
def test_limits_of_quality_are_rules_once_they_are_set_and_what_was_not_measured_does_not_pass(override, score):
    field, value = override.split("=")
    (name,) = set(rules(override)) - set(ORDER)
    rule = rules(override)[name]
    assert (name, rule.score, rule.threshold, rule.required) == (field, score, float(value), True)
    assert rule.breaks == ("<" if ".min_" in field else ">")
    assert set(rules(override)) == {*ORDER, field}
