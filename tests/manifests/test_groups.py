"""Ranges and groups: every recording is in one of them, with the staging files of its units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.manifests import plan as plans
from curation.manifests.groups import RecordingGroup, all_groups, groups, id_ranges
from curation.manifests.plan import Todo, extend_plan, read_plan
from curation.manifests.records import Source
from curation.manifests.staging import BatchName


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plans, "UNITS_PER_PART", 2)


def planned(out, *generations, unit_files=2):
    """A plan of these ids; of what is written with a star, a stretch is tried again."""
    for names in generations:
        again = {name.rstrip("*"): [(0, 9)] if name.endswith("*") else None for name in names}
        items = [Todo(Source(name, name), stretches=again[name]) for name in sorted(again)]
        plan = extend_plan(out, read_plan(out), items, unit_files=unit_files, unit_bytes=9)
    return plan


def batches(plan, each=1):
    return [BatchName(unit, batch, last=batch == each - 1) for unit in range(plan.num_units) for batch in range(each)]


def divided(plan, names, most_files):
    return [list(groups(plan, part, most_files)) for part in id_ranges(plan, names)]


def test_a_range_is_a_part_and_a_group_is_as_many_units_as_fit(tmp_path):
    plan = planned(Storage(str(tmp_path)), "abcdefg")
    one, two, three, four = batches(plan)
    assert [(part.number, part.first, part.end) for part in id_ranges(plan, batches(plan))] == [
        (0, "a", "e"),
        (1, "e", None),
    ]
    assert divided(plan, batches(plan), 2) == [
        [RecordingGroup({"a": 0, "b": 0, "c": 1, "d": 1}, (one, two))],
        [RecordingGroup({"e": 2, "f": 2, "g": 3}, (three, four))],
    ]
    assert divided(plan, batches(plan), 1)[0] == [
        RecordingGroup({"a": 0, "b": 0}, (one,)),
        RecordingGroup({"c": 1, "d": 1}, (two,)),
    ]


def test_a_unit_with_more_files_than_a_group_may_have_is_one_of_its_own(tmp_path):
    plan = planned(Storage(str(tmp_path)), "abcd")
    names = [*batches(plan, each=3)]
    assert divided(plan, names, 2) == [
        [RecordingGroup({"a": 0, "b": 0}, (*names[:3],)), RecordingGroup({"c": 1, "d": 1}, (*names[3:],))]
    ]


def test_units_that_try_again_come_with_the_recordings_that_they_try(tmp_path):
    plan = planned(Storage(str(tmp_path)), "abcd", ["b*", "d*"])
    one, two, again = batches(plan)
    ((first,), (second,)) = divided(plan, batches(plan), 9)
    assert first == RecordingGroup({"a": 0}, (one,))
    assert second == RecordingGroup({"b": 0, "c": 1, "d": 1}, (one, two, again))


@given(
    generations=st.lists(
        st.sets(st.text("abcd", min_size=1, max_size=3), min_size=1, max_size=12), min_size=1, max_size=3
    ),
    most_files=st.integers(1, 6),
    each=st.integers(1, 2),
    lost=st.sets(st.integers(0, 20), max_size=2),
)
def test_every_recording_is_in_one_group_with_the_files_of_its_home(
    generations, most_files, each, lost, tmp_path_factory
):
    plan = planned(Storage(str(tmp_path_factory.mktemp("plan"))), *generations)
    names = [name for name in batches(plan, each) if name.unit not in lost]
    found = [group for part in divided(plan, names, most_files) for group in part]
    home = {item.source.id: item.home for item in plan.recordings()}
    assert [item for group in found for item in group.homes.items()] == sorted(home.items())
    for group in found:
        assert {name.unit for name in group.files} == {*group.homes.values()} - lost
        assert len(group.files) <= max(most_files, each)
        assert list(group.files) == sorted(group.files)


def test_all_groups_are_the_recordings_of_a_unit_each(tmp_path):
    out = Storage(str(tmp_path))
    plan = planned(out, "abcdefg")
    for name in batches(plan):
        out.write_bytes(name.file, b"")
    assert list(all_groups(out)) == [group for part in divided(plan, batches(plan), 1) for group in part]
    assert [list(group.homes) for group in all_groups(out)] == [["a", "b"], ["c", "d"], ["e", "f"], ["g"]]
