"""What marks change: what is retracted or in conflict changes nothing."""

from dataclasses import replace

import pyarrow as pa

from curation.manifests.marks.effects import applied, conflicts, effects, in_force
from curation.manifests.marks.files import Mark, digest


def text(identifier, written, by="a"):
    return Mark(identifier, "text", verdict="wrong", text=written, text_seen=digest("old"), by=by)


def test_a_retraction_undoes_what_was_said_before_it_and_not_after():
    before, after = Mark("a", "reject"), Mark("a", "accept")
    assert in_force([before, Mark("b", "reject"), Mark("a", "retract"), after]) == [Mark("b", "reject"), after]
    assert in_force([before, before]) == [before]


def test_marks_in_conflict_are_both_kept_and_neither_counts():
    disputed = [text("a", "one"), text("a", "two"), Mark("b", "reject"), Mark("b", "accept")]
    agreed = [text("c", "one"), text("c", "one", by="b"), Mark("c", "accept")]
    assert conflicts([*disputed, *agreed]) == disputed
    found = effects([*disputed, *agreed])
    assert (list(found.texts), list(found.verdicts)) == (["c"], ["c"])
    assert list(effects([*disputed, Mark("a", "retract"), text("a", "two")]).texts) == ["a"]


def test_a_mark_without_a_text_says_only_that_it_is_wrong():
    assert effects([Mark("a", "text", verdict="wrong")]).texts == {}


SEEN = "as it was"
JUDGED = [  # id, status, reason, value, whether the thresholds were tried; what is said; what becomes of it
    ("far", "rejected", "consensus.max_pwer", 0.5, True, Mark("far", "accept"), ("kept", None, None, "accept", None)),
    ("good", "kept", None, None, True, Mark("good", "reject"), ("rejected", "marks.reject", None, "reject", None)),
    ("lost", "failed", "consensus.max_pwer", 0.5, True, Mark("lost", "accept"), ("failed", ..., 0.5, "accept", None)),
    ("short", "rejected", "a.b", 0.5, False, Mark("short", "accept"), ("rejected", ..., 0.5, "accept", None)),
    ("bad", "rejected", "a.b", 0.5, True, Mark("bad", "reject"), ("rejected", ..., 0.5, "reject", None)),
    ("fine", "kept", None, None, True, Mark("fine", "accept"), ("kept", None, None, "accept", None)),
    ("told", "kept", None, None, True, text("told", "as it is"), ("kept", None, None, None, "as it is")),
    ("stale", "kept", None, None, True, Mark("stale", "reject"), ("kept", None, None, None, None)),
    ("other", "kept", None, None, True, None, ("kept", None, None, None, None)),
]


def test_what_people_say_changes_what_thresholds_said_of_the_text_that_they_saw():
    names = ("id", "status", "reason", "value", "tried")
    table = pa.table({name: [row[place] for row in JUDGED] for place, name in enumerate(names)})
    bits = pa.array([0 if tried else None for tried in table["tried"].to_pylist()], pa.uint32())
    table = table.drop_columns(["tried"]).append_column("rules_broken", bits).append_column("threshold", table["value"])
    said = effects(
        replace(row[5], text_seen=digest("another text" if row[0] == "stale" else SEEN)) for row in JUDGED if row[5]
    )
    found = applied(table, said, lambda named: [SEEN] * named.num_rows).to_pylist()
    for row, (_, _, reason, *_, expected) in zip(found, JUDGED, strict=True):
        status, now, value, marked, human = expected
        assert (row["status"], row["reason"]) == (status, reason if now is ... else now)
        assert (row["value"], row["threshold"], row["marked"], row["human_text"]) == (value, value, marked, human)


def test_a_verdict_on_a_corrected_text_counts_too():
    said = effects([text("a", "new"), Mark("a", "reject", text_seen=digest("new"))])
    columns = {
        "id": ["a"],
        "status": ["kept"],
        "reason": ["x"],
        "value": [0.5],
        "threshold": [0.5],
        "rules_broken": [0],
    }
    (row,) = applied(pa.table(columns), said, lambda _: ["old"]).to_pylist()
    assert (row["status"], row["human_text"]) == ("rejected", "new")


def test_who_finds_a_correction_right_agrees_with_it_and_who_found_the_old_text_right_does_not():
    correction, vague = text("a", "new"), text("a", None)
    checked = Mark("a", "text", verdict="right", text_seen=digest("new"))
    believed = Mark("a", "text", verdict="right", text_seen=digest("old"))
    assert conflicts([correction, checked, vague]) == []
    assert list(effects([correction, checked, vague]).texts.values()) == [correction]
    assert conflicts([correction, believed]) == [correction, believed]
    assert conflicts([vague, believed]) == [vague, believed]
    assert conflicts([believed, believed]) == []
