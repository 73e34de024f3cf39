"""Thresholds on scores: which rule is the reason, and what a missing score means."""

import pyarrow as pa
import pytest

from curation.manifests.schemas import JUDGED, SCORE_MAP, VERDICT
from curation.manifests.verdicts import MOST_RULES, Rule, judge

PWER = Rule("consensus.max_pwer", "pwer", ">=", 0.15)
WORDS = Rule("consensus.min_words", "text.words", "<", 1)
CUT = Rule("boundary.max_cut", "boundary.cut", ">", 0.9)


def judged(scores, *rules, verdict=None):
    """Status, reason, value and threshold of one segment, and its detail."""
    return tried(scores, *rules, verdict=verdict)[:5]


def tried(scores, *rules, verdict=None):
    """The same, and the bits of the rules that are broken, and of those without a score."""
    found = judge(pa.array([list(scores.items())], SCORE_MAP), pa.array([verdict], VERDICT), rules)
    assert found.schema == JUDGED
    (row,) = found.to_pylist()
    return tuple(row.values())


@pytest.mark.parametrize(
    ("rule", "value", "kept"),
    [
        (PWER, 0.1499, True),
        (PWER, 0.15, False),
        (WORDS, 1.0, True),
        (WORDS, 0.0, False),
        (CUT, 0.9, True),
        (CUT, 0.901, False),
    ],
)
def test_the_threshold_itself_belongs_to_the_side_that_the_rule_says(rule, value, kept):
    found = judged({rule.score: value}, rule)
    expected = ("kept", None, None, None, None) if kept else ("rejected", rule.field, value, rule.threshold, None)
    assert found == expected


def test_the_first_rule_that_is_broken_is_the_reason():
    scores = {"pwer": 0.5, "text.words": 0.0, "boundary.cut": 0.0}
    assert judged(scores, CUT, WORDS, PWER)[1] == "consensus.min_words"
    assert judged(scores, CUT, PWER, WORDS)[1] == "consensus.max_pwer"


def test_a_missing_score_is_a_failure_unless_the_rule_can_do_without():
    assert judged({}, PWER) == ("failed", "consensus.max_pwer", None, None, "no score pwer: label again")
    assert judged({}, Rule("consensus.max_pwer", "pwer", ">=", 0.15, required=False))[0] == "kept"


def test_a_score_may_stand_for_another():
    alone = Rule("consensus.max_self_inconsistency", "consensus.self_inconsistency", ">=", 0.1, unless="pwer")
    assert judged({"pwer": 0.0}, alone)[0] == "kept"
    assert judged({"consensus.self_inconsistency": 0.05}, alone)[0] == "kept"
    assert judged({"consensus.self_inconsistency": 0.1}, alone)[0] == "rejected"
    assert judged({"pwer": 0.0, "consensus.self_inconsistency": 0.1}, alone)[0] == "kept"
    detail = "no score consensus.self_inconsistency or pwer: label again"
    assert judged({}, alone) == ("failed", alone.field, None, None, detail)


def test_a_rule_that_is_broken_before_a_score_is_missed_is_the_reason():
    assert judged({"text.words": 0.0}, WORDS, PWER)[:2] == ("rejected", "consensus.min_words")


@pytest.mark.parametrize("status", ["rejected", "failed"])
def test_a_verdict_of_a_stage_stays(status):
    verdict = {"status": status, "reason": "diarize.min_seconds", "value": 0.5, "threshold": 1.0, "detail": "short"}
    assert judged({"pwer": 0.5}, PWER, verdict=verdict) == tuple(verdict.values())


def test_no_segments_give_no_verdicts():
    assert judge(pa.array([], SCORE_MAP), pa.array([], VERDICT), [PWER]).equals(JUDGED.empty_table())


@pytest.mark.parametrize(
    ("scores", "broken", "missing"),
    [
        ({"pwer": 0.1, "text.words": 3.0, "boundary.cut": 0.0}, 0, 0),
        ({"pwer": 0.5, "text.words": 0.0, "boundary.cut": 0.95}, 0b111, 0),
        ({"pwer": 0.5, "text.words": 3.0, "boundary.cut": 0.95}, 0b101, 0),
        ({"pwer": 0.5}, 0b100, 0b011),  # what was not measured is neither broken nor met
        ({}, 0, 0b111),
    ],
)
def test_every_rule_is_tried_whatever_the_reason_is(scores, broken, missing):
    assert tried(scores, CUT, WORDS, PWER)[5:] == (broken, missing)


@pytest.mark.parametrize(
    ("scores", "bits"),
    [({"pwer": 0.5}, (1, 0)), ({"pwer": 0.5, "one": 0.0}, (0, 0)), ({}, (0, 1)), ({"one": 1.0}, (0, 0))],
)
def test_a_rule_that_does_not_apply_is_neither_broken_nor_missing(scores, bits):
    assert tried(scores, Rule("a.b", "pwer", ">=", 0.15, unless="one"))[5:] == bits


def test_the_last_of_the_most_rules_has_a_bit():
    rules = [Rule(f"a.{number}", "pwer", ">", number) for number in range(MOST_RULES)]
    assert tried({"pwer": 99.0}, *rules)[5:] == (2**32 - 1, 0)


def test_no_rule_is_tried_where_a_stage_gave_the_verdict():
    verdict = {"status": "rejected", "reason": "diarize.min_seconds", "value": 0.5, "threshold": 1.0, "detail": ""}
    assert tried({"pwer": 0.5}, PWER, verdict=verdict)[5:] == (None, None)
