"""Thresholds in SQL give the verdicts of the publish pass, and each rule says how far it is met."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audit.corpus import asked, value_of
from curation.audit.judging import margin, outcome, tried, verdict
from curation.manifests.schemas import SCORE_MAP, VERDICT
from curation.manifests.verdicts import Rule, judge

rules = st.lists(
    st.builds(
        Rule,
        st.sampled_from(["a.x", "b.y", "c.z"]),
        st.sampled_from(["one", "two"]),
        st.sampled_from(["<", ">", ">="]),
        st.integers(0, 4).map(float),
        required=st.booleans(),
        unless=st.sampled_from(["", "two"]),
    ),
    max_size=5,
)
values = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0, float("nan")])
scores = st.fixed_dictionaries({}, optional={"one": st.integers(0, 4).map(float), "two": values})


@given(rules, st.lists(scores, min_size=1, max_size=8))
def test_the_verdicts_are_those_of_the_publish_pass(rules, rows):
    expected = judge(
        pa.array([list(row.items()) for row in rows], SCORE_MAP), pa.array([None] * len(rows), VERDICT), rules
    ).to_pylist()
    kind = pa.float64()
    database = duckdb.connect()
    database.register(
        "segments",
        pa.table(
            {
                "place": range(len(rows)),
                "rules_broken": pa.array([0] * len(rows), pa.uint32()),
                "one": pa.array([row.get("one") for row in rows], kind),
                "scores": pa.array(
                    [[{"name": "two", "value": row["two"]}] if "two" in row else [] for row in rows],
                    pa.list_(pa.struct({"name": pa.string(), "value": kind})),
                ),
            }
        ),
    )
    made = outcome(rules, lambda score: value_of(score, {"one": "one"}))
    codes = asked(database, f"SELECT {made.sql} AS code FROM segments ORDER BY place", made.parameters)
    found = [verdict(row["code"], rules, rules, now("kept", None)) for row in codes]
    assert found == [(row["status"], row["reason"] or "") for row in expected]


def now(status, reason, marked=None):
    return {"status": status, "reason": reason, "marked": marked}


def test_a_verdict_of_a_stage_or_a_tokenizer_stays():
    rule = Rule("consensus.max_pwer", "pwer", ">=", 0.15)
    assert verdict(None, [rule], [rule], now("rejected", "diarize.min_seconds")) == ("rejected", "diarize.min_seconds")
    assert verdict(-1, [rule], [rule], now("failed", "tokenize")) == ("failed", "tokenize")
    assert verdict(-1, [rule], [rule], now("failed", "consensus.max_pwer")) == ("kept", "")
    other = Rule("consensus.min_confidence", "confidence.calibrated", "<", 0.5)  # that is off now
    assert verdict(-1, [rule], [rule, other], now("failed", other.field)) == ("kept", "")
    assert verdict(0, [rule], [rule], now("rejected", rule.field, "accept")) == ("kept", "")
    assert verdict(2, [other, rule], [rule], now("rejected", rule.field, "accept")) == ("kept", "")
    assert verdict(1, [rule], [rule], now("kept", None, "accept")) == ("failed", rule.field)
    assert verdict(-1, [rule], [rule], now("rejected", rule.field, "reject")) == ("rejected", "marks.reject")
    assert verdict(0, [rule], [rule], now("failed", "tokenize")) == ("rejected", "consensus.max_pwer")


@pytest.mark.parametrize(("breaks", "expected"), [("<", 0.25), (">", -0.25), (">=", -0.25)])
def test_the_margin_is_above_0_where_the_rule_is_met(breaks, expected):
    assert margin(Rule("a.b", "x", breaks, 0.5), 0.75) == expected
    assert margin(Rule("a.b", "x", breaks, 0.5), None) is None


def test_each_rule_with_what_it_says():
    both = [Rule("a.b", "x", ">", 0.5), Rule("c.d", "y", "<", 2.0, required=False)]
    row = {"rules_broken": 1, "rules_missing": 2, "status": "rejected", "reason": "a.b"}
    first, second = tried(both, row, {"x": 0.75})
    assert (first["broken"], first["missing"], first["primary"], first["margin"]) == (True, False, True, -0.25)
    assert (second["broken"], second["missing"], second["primary"], second["value"]) == (False, True, False, None)
    gives_way = Rule("e.f", "y", "<", 2.0, unless="x")
    (third,) = tried([gives_way], {**row, "rules_broken": 0, "rules_missing": 0}, {"x": 0.75})
    assert (third["applies"], first["applies"], third["broken"], third["missing"]) == (False, True, False, False)
    by_stage = {"rules_broken": None, "rules_missing": None, "status": "rejected", "reason": "diarize.min_seconds"}
    assert [item["broken"] for item in tried(both, by_stage, {})] == [None, None]
