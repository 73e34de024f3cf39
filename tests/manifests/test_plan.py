"""Plans: every recording is in exactly one unit of a generation, and the latest counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.manifests.plan import Plan, extend_plan, read_plan
from curation.manifests.records import Source
from curation.manifests.schemas import PLAN
from curation.manifests.selection import RecordingGroup, ordered_groups

ids = st.lists(st.text("abcdef", min_size=1, max_size=5), min_size=1, max_size=30, unique=True)


@given(names=ids, sizes=st.lists(st.integers(0, 100), min_size=30, max_size=30), unit_files=st.integers(1, 5))
def test_units_are_bounded_and_complete(names, sizes, unit_files, tmp_path_factory):
    out = Storage(str(tmp_path_factory.mktemp("plan")))
    inputs = [(Source(name, f"{name}.wav"), size) for name, size in zip(names, sizes, strict=False)]
    extend_plan(out, Plan([]), inputs, unit_files=unit_files, unit_bytes=100)
    plan = read_plan(out)
    units = list(plan.units(range(plan.num_units)))
    size_of = {source.id: size for source, size in inputs}
    assert [source.id for unit in units for source in unit.sources] == sorted(names)
    assert [unit.number for unit in units] == list(range(plan.num_units))
    for unit in units:
        total = sum(size_of[source.id] for source in unit.sources)
        assert len(unit.sources) == 1 or (len(unit.sources) <= unit_files and total <= 100)


@given(first=ids, data=st.data())
def test_generations_merge_in_the_order_of_ids(first, data, tmp_path_factory):
    out = Storage(str(tmp_path_factory.mktemp("plan")))
    plan = extend_plan(out, Plan([]), [(Source(name, name), 0) for name in first], unit_files=3, unit_bytes=1)
    again = data.draw(st.lists(st.sampled_from(first), unique=True))
    new = data.draw(ids.map(lambda names: [f"{name}x" for name in names]))
    second = sorted({*again, *new} - (set(first) - set(again)))
    plan = extend_plan(out, plan, [(Source(name, name), 0) for name in second], unit_files=2, unit_bytes=1)
    current = plan.homes()
    flat = [(name, group.units[0]) for group in ordered_groups(plan) for name in group.ids]
    assert flat == sorted(current.items())
    assert all(current[name] >= plan.generations[0]["unit"].to_pylist()[-1] for name in second)


def test_with_one_generation_a_group_is_a_unit(tmp_path):
    plan = extend_plan(
        Storage(str(tmp_path)), Plan([]), [(Source(name, name), 0) for name in "abc"], unit_files=2, unit_bytes=9
    )
    assert list(ordered_groups(plan)) == [RecordingGroup(("a", "b"), (0,)), RecordingGroup(("c",), (1,))]


def test_stretches_that_are_tried_again_stay_with_the_unit_of_their_recording(tmp_path):
    out = Storage(str(tmp_path))
    sources = [(Source(name, f"{name}.wav"), 0) for name in "abc"]
    plan = extend_plan(out, Plan([]), sources, unit_files=2, unit_bytes=9)
    options = {"unit_files": 2, "unit_bytes": 9, "stretches": {"b": [(5, 9)], "c": [(0, 1), (7, 8)]}}
    extend_plan(out, plan, sources[1:], **options, retried_edition=4)
    plan = read_plan(out)
    assert plan.retried_edition == 4
    assert plan.homes() == {"a": 0, "b": 0, "c": 1}
    assert list(ordered_groups(plan)) == [RecordingGroup(("a", "b"), (0, 2)), RecordingGroup(("c",), (1, 2))]
    (unit,) = plan.units([2])
    assert unit.stretches == {"b": [(5, 9)], "c": [(0, 1), (7, 8)]}
    extend_plan(out, plan, sources[1:2], unit_files=2, unit_bytes=9)  # its file has changed: it begins anew
    plan = read_plan(out)
    assert (plan.homes()["b"], plan.retries()) == (3, {"c": [2]})
    assert plan.source("b") == sources[1][0]
    assert plan.retried_edition == 4


def test_a_recording_that_has_changed_is_listed_once(tmp_path):
    out = Storage(str(tmp_path))
    first = [(Source("a", "a.wav", extra={"n": 1}), 0), (Source("b", "b.wav", "de", "Bo", "so"), 0)]
    plan = extend_plan(out, Plan([]), first, unit_files=1, unit_bytes=9)
    extend_plan(
        out, plan, [(Source("b", "b.wav", "de", "Bo", "so"), 0), (Source("c", "c.wav"), 0)], unit_files=2, unit_bytes=9
    )
    plan = read_plan(out)
    assert list(plan.sources()) == [first[0][0], first[1][0], Source("c", "c.wav")]
    assert plan.num_units == 3
    assert plan.homes() == {"a": 0, "b": 2, "c": 2}
    assert [[source.id for source in unit.sources] for unit in plan.units([0, 2])] == [["a"], ["b", "c"]]


def test_a_plan_without_new_recordings_stays_as_it_is(tmp_path):
    out = Storage(str(tmp_path))
    plan = extend_plan(out, Plan([]), [(Source("a", "a"), 0)], unit_files=1, unit_bytes=1)
    assert extend_plan(out, plan, [], unit_files=1, unit_bytes=1) == plan
    assert out.names("plan") == ["generation-000.parquet"]
    assert Plan([]).num_units == 0


def test_a_unit_may_be_just_full(tmp_path):
    plan = extend_plan(
        Storage(str(tmp_path)), Plan([]), [(Source(name, name), 50) for name in "abcd"], unit_files=9, unit_bytes=100
    )
    assert [len(unit.sources) for unit in plan.units(range(9))] == [2, 2]
    assert Storage(str(tmp_path)).read_table("plan/generation-000.parquet").schema.equals(PLAN)


@pytest.mark.parametrize(
    ("damage", "reason"), [("cut off", "is damaged"), ("another version", "has no column stretches")]
)
def test_a_plan_that_cannot_be_read_is_named_with_the_remedy(tmp_path, damage, reason):
    out = Storage(str(tmp_path))
    extend_plan(out, Plan([]), [(Source("a", "a.wav"), 1)], unit_files=1, unit_bytes=1)
    (name,) = out.names("plan")
    if damage == "cut off":
        out.write_bytes(f"plan/{name}", out.read_bytes(f"plan/{name}")[:-20])
    else:
        out.write_table(f"plan/{name}", out.read_table(f"plan/{name}").drop_columns(["stretches"]))
    with pytest.raises(DataError, match=rf"plan/{name} {reason}.*build with that one, or into another folder"):
        read_plan(out)
