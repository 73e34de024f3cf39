"""What marks change: what is retracted or in conflict changes nothing."""

from curation.manifests.marks.effects import conflicts, effects, in_force
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
