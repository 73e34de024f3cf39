"""Plans: every recording is in exactly one unit of a generation, and the latest counts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.errors import DataError, LockError
from curation.core.storage import Storage
from curation.manifests import plan as plans
from curation.manifests.plan import Plan, Planned, Todo, extend_plan, read_plan
from curation.manifests.records import Source
from curation.manifests.schemas import PLAN
from tests.support.damage import damaged

ids = st.lists(st.text("abcdef", min_size=1, max_size=5), min_size=1, max_size=30, unique=True)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plans, "UNITS_PER_PART", 3)
    monkeypatch.setattr(plans, "RECORDINGS_PER_PART", 7)
    monkeypatch.setattr(plans, "ROWS_AT_ONCE", 2)


def todo(names, size=0):
    return [Todo(Source(name, f"{name}.wav"), size) for name in sorted(names)]


def extended(out, names, **options):
    return extend_plan(out, read_plan(out), todo(names), **{"unit_files": 2, "unit_bytes": 9, **options})


@given(names=ids, sizes=st.lists(st.integers(0, 100), min_size=30, max_size=30), unit_files=st.integers(1, 5))
def test_units_are_bounded_and_complete(names, sizes, unit_files, tmp_path_factory):
    out = Storage(str(tmp_path_factory.mktemp("plan")))
    inputs = [Todo(Source(name, f"{name}.wav"), size) for name, size in zip(sorted(names), sizes, strict=False)]
    written = extend_plan(out, Plan(out), inputs, unit_files=unit_files, unit_bytes=100)
    plan = read_plan(out)
    assert plan == written
    units = list(plan.units(range(plan.num_units)))
    size_of = {source.id: size for source, size, _ in inputs}
    assert [source.id for unit in units for source in unit.sources] == sorted(names)
    assert [unit.number for unit in units] == list(range(plan.num_units))
    for unit in units:
        total = sum(size_of[source.id] for source in unit.sources)
        assert len(unit.sources) == 1 or (len(unit.sources) <= unit_files and total <= 100)
    parts = [out.read_table(f"plan/{part.file}") for part in plan.parts]
    assert sum(part.num_rows for part in parts) == len(names)
    for part, table in zip(plan.parts, parts, strict=True):
        assert len(set(table["unit"].to_pylist())) <= 3
        assert table.num_rows < 7 + unit_files
        assert (table["id"][0].as_py(), table["id"][-1].as_py()) == (part.first, part.last)
        assert (table["unit"][0].as_py(), table["unit"][-1].as_py()) == (part.first_unit, part.last_unit)


def test_a_unit_has_the_size_of_batches_of_its_generation(tmp_path):
    out = Storage(str(tmp_path))
    extended(out, "ab")
    extended(out, "cde", batch_seconds=2700.0)
    assert [unit.batch_seconds for unit in read_plan(out).units(range(9))] == [300.0, 2700.0, 2700.0]


@given(data=st.data(), generations=st.lists(ids, min_size=1, max_size=3))
def test_a_stretch_of_the_recordings_is_what_all_generations_say_of_it(data, generations, tmp_path_factory):
    """Against a dictionary: the latest unit of a recording is its home, and generations merge in the order of ids."""
    out = Storage(str(tmp_path_factory.mktemp("plan")))
    home, unit = {}, 0
    for names in generations:
        plan = extended(out, names, unit_files=3, unit_bytes=1)
        home |= {name: unit + number // 3 for number, name in enumerate(sorted(names))}
        unit = plan.num_units
    first, end = sorted(data.draw(st.tuples(*[st.text("abcdef", max_size=3)] * 2)))
    end = data.draw(st.sampled_from([end, None]))
    expected = [item for item in sorted(home.items()) if first <= item[0] and (end is None or item[0] < end)]
    assert [(item.source.id, item.home) for item in read_plan(out).recordings(first, end)] == expected
    cuts = [*plan.cuts(), None]
    assert min(home) == cuts[0]
    pieces = [plan.recordings(*pair) for pair in itertools.pairwise(cuts)]
    assert [item.source.id for piece in pieces for item in piece] == sorted(home)


def test_stretches_that_are_tried_again_stay_with_the_unit_of_their_recording(tmp_path):
    out = Storage(str(tmp_path))
    sources = [item.source for item in todo("abc")]
    plan = extended(out, "abc")
    again = [Todo(sources[1], stretches=[(5, 9)]), Todo(sources[2], stretches=[(0, 1), (7, 8)])]
    extend_plan(out, plan, again, unit_files=2, unit_bytes=9, retried_edition=4)
    plan = read_plan(out)
    assert plan.retried_edition == 4
    a, b, c = sources
    assert list(plan.recordings()) == [Planned(a, 0), Planned(b, 0, (2,)), Planned(c, 1, (2,))]
    (unit,) = plan.units([2])
    assert unit.stretches == {"b": [(5, 9)], "c": [(0, 1), (7, 8)]}
    plan = extended(out, "b")  # its file has changed: it begins anew
    assert list(plan.recordings()) == [Planned(a, 0), Planned(b, 3), Planned(c, 1, (2,))]
    assert plan.retried_edition == 4


def test_a_recording_that_has_changed_is_listed_once_with_its_latest_values(tmp_path):
    out = Storage(str(tmp_path))
    first = [Todo(Source("a", "a.wav", extra={"n": 1})), Todo(Source("b", "b.wav", "de", "Bo", "so"))]
    plan = extend_plan(out, Plan(out), first, unit_files=1, unit_bytes=9)
    second = [Todo(Source("b", "b.wav", "en", "Bo", "so")), Todo(Source("c", "c.wav"))]
    extend_plan(out, plan, second, unit_files=2, unit_bytes=9)
    plan = read_plan(out)
    assert [item.source for item in plan.recordings()] == [first[0].source, *[item.source for item in second]]
    assert plan.num_units == 3
    assert [[source.id for source in unit.sources] for unit in plan.units([2, 0])] == [["a"], ["b", "c"]]


def test_a_plan_without_new_recordings_stays_as_it_is(tmp_path):
    out = Storage(str(tmp_path))
    plan = extended(out, "a")
    assert extended(out, "") == plan
    assert [name for name in out.names("plan") if name.endswith(".json")] == ["generation-000.json"]
    assert Plan(out).num_units == 0


def test_recordings_to_plan_have_to_be_sorted(tmp_path):
    out = Storage(str(tmp_path))
    for names in ("ba", "aa"):
        with pytest.raises(ValueError, match="not sorted: 'a' after"):
            extend_plan(out, Plan(out), [Todo(Source(name, name)) for name in names], unit_files=1, unit_bytes=1)
    assert read_plan(out) == Plan(out, [])


def test_a_generation_without_its_record_is_not_there_and_is_written_anew(tmp_path):
    out = Storage(str(tmp_path))
    extended(out, "abcdefghi")
    out.remove("plan/generation-000.json")
    assert read_plan(out).num_units == 0
    plan = extended(out, "xy")
    assert [item.source.id for item in plan.recordings()] == ["x", "y"]
    record, folder = sorted(out.names("plan"), key=len)
    assert (record, out.names(f"plan/{folder}")) == ("generation-000.json", ["part-00000.parquet"])


def test_a_unit_may_be_just_full(tmp_path):
    out = Storage(str(tmp_path))
    plan = extend_plan(out, Plan(out), todo("abcd", 50), unit_files=9, unit_bytes=100)
    assert [len(unit.sources) for unit in plan.units(range(9))] == [2, 2]
    part = next(plan.parts)
    assert out.read_table(f"plan/{part.file}").schema.equals(PLAN)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [("cut off", "is damaged"), ("another version", "has no column stretches"), ("removed", "is missing")],
)
def test_a_part_that_cannot_be_read_is_named_with_the_remedy(tmp_path, damage, reason):
    out = Storage(str(tmp_path))
    (part,) = extended(out, "a").parts
    name = f"plan/{part.file}"
    if damage == "cut off":
        out.write_bytes(name, out.read_bytes(name)[:-20])
    elif damage == "removed":
        out.remove(name)
    else:
        out.write_table(name, out.read_table(name).drop_columns(["stretches"]))
    with pytest.raises(DataError, match=rf"{name} {reason}.*build with that one, or into another folder"):
        list(read_plan(out).recordings())


@pytest.mark.parametrize(
    ("name", "content"),
    [("generation-000.parquet", b"as it was"), ("generation-000.json", b"{}"), ("generation-000.json", b"cut o")],
)
def test_a_record_that_cannot_be_read_is_named_with_the_remedy(tmp_path, name, content):
    out = Storage(str(tmp_path))
    extended(out, "a")
    out.write_bytes(f"plan/{name}", content)
    with pytest.raises(DataError, match=rf"plan/{name} .*build with that one, or into another folder"):
        read_plan(out)


def test_a_plan_that_is_late_touches_nothing_of_another(s3_bucket):
    out = Storage(s3_bucket)
    extended(out, "abc")
    with pytest.raises(LockError, match=r"plan/generation-000\.json was written by another build"):
        extend_plan(out, Plan(out), todo("xyz"), unit_files=3, unit_bytes=100)
    assert [item.source.id for item in read_plan(out).recordings()] == ["a", "b", "c"]


@given(data=st.data())
def test_any_value_in_a_record_is_a_plan_or_a_user_error(data, tmp_path_factory):
    out = Storage(str(tmp_path_factory.mktemp("plan")))
    extended(out, "abcdefghi")
    name = "plan/generation-000.json"
    out.write_json(name, data.draw(damaged(out.read_json(name))))
    problem = ""
    try:
        plan = read_plan(out)
        assert len(list(plan.recordings())) <= 9
        assert len(list(plan.units(range(5)))) <= 5
        assert plan.cuts() == sorted(plan.cuts())
    except DataError as error:
        problem = str(error)
    assert not problem or f"{out.root}/plan/generation-000" in problem


def test_a_part_is_full_at_its_recordings_or_its_units(tmp_path):
    """Seven recordings, or three units."""
    for names, unit_files, sizes in [("abcdefghij", 4, [8, 2]), ("abcdefghij", 2, [6, 4])]:
        out = Storage(str(tmp_path / str(unit_files)))
        plan = extended(out, names, unit_files=unit_files)
        assert [out.read_table(f"plan/{part.file}").num_rows for part in plan.parts] == sizes
