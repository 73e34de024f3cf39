"""What a build keeps for itself is taken out in place, and the plan stays one."""

from hypothesis import given
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.living.scrub import recording_of, scrub
from curation.manifests import plan as plans
from curation.manifests.inputs import ids, skipped
from curation.manifests.plan import Plan, Todo, extend_plan, read_plan
from curation.manifests.records import Recording, Segment, Source
from curation.manifests.staging import BatchName, commit, segment_id
from tests.support.faults.search import found_in
from tests.support.texts.characters import ANY


@given(st.text(ANY, max_size=20), st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_utterance_says_its_recording(identifier, start, end):
    assert recording_of(segment_id(identifier, start, end)) == identifier


def planned(out, *generations):
    for names in generations:
        items = [Todo(Source(name, f"in/{name}.wav")) for name in names]
        extend_plan(out, read_plan(out), items, unit_files=1, unit_bytes=9)
    return read_plan(out)


@given(st.sets(st.sampled_from("abcdefgh"), max_size=8))
def test_the_plan_stays_one_whatever_is_taken_out(tmp_path_factory, gone):
    old, plans.UNITS_PER_PART = plans.UNITS_PER_PART, 2
    try:
        out = Storage(str(tmp_path_factory.mktemp("plan")))
        plan = planned(out, "abdfh", "ceg")
        scrub(out, gone, {f"in/{name}.wav" for name in gone}, range(plan.num_units))
        left = sorted({*"abcdefgh"} - gone)
        now = read_plan(out)
        assert [source.id for source in now.sources()] == left
        assert now.num_units == plan.num_units == 8
        assert now.cuts() == sorted(now.cuts())
        for name in left:
            assert [source.id for source in (item.source for item in now.recordings(name, f"{name}\0"))] == [name]
        for generation in now.generations:
            for part in generation.parts:
                assert {part.first, part.last} <= {*left, ""}
        later = extend_plan(out, now, [Todo(Source("z", "in/z.wav"))], unit_files=1, unit_bytes=9)
        assert later.num_units == 9
    finally:
        plans.UNITS_PER_PART = old


def test_nothing_is_left_in_files_that_a_killed_build_has_begun(tmp_path):
    out = Storage(str(tmp_path))
    (part,) = planned(out, "a").parts
    out.write_bytes("plan/generation-001-0a1b2c3d/part-00000.parquet", out.read_bytes(f"plan/{part.file}"))
    recording = Recording(Source("a", "in/a.wav"), num_samples=9, segments=[Segment(0, 9, text="zanzibar")])
    commit(out, BatchName(0, 7), [recording], StageTimes(), audio=False)
    out.remove(BatchName(0, 7).file)
    needles = [b"in/a.wav", b"zanzibar"]
    assert {needle for _, needle in found_in(tmp_path, needles)} == {*needles}
    scrub(out, {"a"}, {"in/a.wav"}, [0])
    assert found_in(tmp_path, needles) == set()


def test_paths_go_from_what_was_left_out_and_from_the_roots(tmp_path):
    out = Storage(str(tmp_path))
    planned(out, "ab")
    found = {"/data/ann": {"repeated": skipped.Skipped(2, ["/data/ann/a.wav", "/data/ann/b.wav"])}}
    skipped.record_skipped(out, found)
    ids.write_roots(out, ids.Roots({"in": "", "/data/ann": "ann"}))
    scrub(out, {"a"}, {"in/a.wav", "/data/ann/a.wav"}, [0])
    assert skipped.read_skipped(out)["repeated"] == skipped.Skipped(2, ["/data/ann/b.wav"])
    assert ids.read_roots(out).names == {"in": ""}
    assert isinstance(read_plan(out), Plan)
