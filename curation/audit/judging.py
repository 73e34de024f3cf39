"""Thresholds as SQL: the verdicts that a publish pass with other thresholds would give.

A row of which `rules_broken` is null has its verdict from a stage, and keeps it. The others are tried by the rules in
order, as `manifests.verdicts` does it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.manifests.marks.effects import REASON
from curation.manifests.verdicts import Rule

KEPT = -1
"""Outcome of a row that meets all rules. Others are twice the number of the first rule that it does not meet, and one
more where the score is missing; null is the verdict that it has."""


@dataclass(frozen=True)
class Outcome:
    """An expression of SQL, and the parameters that it needs."""

    sql: str
    parameters: dict[str, float]


def outcome(rules: Sequence[Rule], value: Callable[[str], str]) -> Outcome:
    """What becomes of a row under these rules; `value` gives the expression of a score."""
    cases, parameters = ["WHEN rules_broken IS NULL THEN NULL"], {}
    for number, rule in enumerate(rules):
        name = f"t{number}"
        parameters[name] = float(rule.threshold)
        applies = f"{value(rule.unless)} IS NULL AND " if rule.unless else ""
        if rule.required:
            cases.append(f"WHEN {applies}{value(rule.score)} IS NULL THEN {2 * number + 1}")
        cases.append(f"WHEN {applies}{value(rule.score)} {rule.breaks} ${name} THEN {2 * number}")
    return Outcome(f"CASE {' '.join(cases)} ELSE {KEPT} END", parameters)


def verdict(code: int | None, rules: Sequence[Rule], judged: Sequence[Rule], row: Mapping[str, Any]) -> tuple[str, str]:
    """Status and reason of an outcome. `row` has `status`, `reason` and `marked` as they are, by the rules `judged`."""
    now = row["status"], row["reason"] or ""
    if code is None:
        return now
    if code != KEPT and (code % 2 or row["marked"] != "accept"):
        return ("failed" if code % 2 else "rejected"), rules[code // 2].field
    if row["status"] == "failed" and row["reason"] not in {rule.field for rule in judged}:
        return now  # what the tokenizers could not encode stays so
    return ("rejected", REASON) if row["marked"] == "reject" else ("kept", "")


def margin(rule: Rule, measured: float | None) -> float | None:
    """How far a score is on the good side of the threshold; below 0 on the other. None where it was not measured."""
    if measured is None:
        return None
    return measured - rule.threshold if rule.breaks == "<" else rule.threshold - measured


def tried(rules: Sequence[Rule], row: Mapping[str, Any], scores: Mapping[str, float]) -> list[dict[str, Any]]:
    """Every rule with what it says of a row: value, threshold, margin, and whether it is the reason of the verdict.

    One that does not apply, since the row has the score that it gives way to, is neither broken nor missing.
    """
    broken, missing = row["rules_broken"], row["rules_missing"]
    return [
        {
            "rule": rule.field,
            "score": rule.score,
            "rejects": rule.breaks,
            "threshold": rule.threshold,
            "value": scores.get(rule.score),
            "margin": margin(rule, scores.get(rule.score)),
            "applies": rule.unless not in scores,
            "broken": None if broken is None else bool(broken >> bit & 1),
            "missing": None if missing is None else bool(missing >> bit & 1),
            "required": rule.required,
            "primary": broken is not None and row["status"] != "kept" and row["reason"] == rule.field,
        }
        for bit, rule in enumerate(rules)
    ]
