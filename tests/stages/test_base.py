"""How a stage is run: rows with a verdict are left out, and what breaks costs one recording only."""

import pytest

from curation.manifests.records import Recording, Segment, Source, Verdict, fail
from curation.stages.base import Branched, Stage, run_branch, run_join, run_stage


class Breaks(Stage):
    """Raises on recordings named `bad`; counts what it was given."""

    name = "breaks"

    def __init__(self):
        self.calls = []

    def process(self, batch):
        self.calls.append([item.source.id for item in batch])
        for item in batch:
            if item.source.id == "bad":
                msg = "cannot take this"
                raise RuntimeError(msg)
            item.notes["breaks"] = "seen"


class BreaksTogether(Breaks):
    batched = True


def rows(*names):
    made = [Recording(Source(name, f"{name}.wav"), num_samples=3, segments=[Segment(0, 3)]) for name in names]
    for item in made:
        item.audio = item.original = item.denoised = [0.0] * 3
    return made


@pytest.mark.parametrize("stage", [Breaks(), BreaksTogether()], ids=["alone", "batched"])
def test_one_bad_recording_costs_only_itself(stage):
    batch = rows("a", "bad", "b")
    run_stage(stage, batch)
    first, broken, last = batch
    assert (first.verdict, last.verdict) == (None, None)
    assert [item.notes for item in batch] == [{"breaks": "seen"}, {}, {"breaks": "seen"}]
    assert (broken.verdict.status, broken.verdict.reason) == ("failed", "breaks")
    assert broken.verdict.detail == "RuntimeError: cannot take this"
    assert (broken.segments, broken.audio, broken.original, broken.denoised) == ([], None, None, None)


def test_recordings_come_one_by_one_unless_the_stage_works_on_batches():
    alone, together = Breaks(), BreaksTogether()
    run_stage(alone, rows("a", "b"))
    run_stage(together, rows("a", "b"))
    assert alone.calls == [["a"], ["b"]]
    assert together.calls == [["a", "b"]]


def test_a_batch_of_one_is_tried_once():
    stage = BreaksTogether()
    run_stage(stage, rows("bad"))
    assert stage.calls == [["bad"]]


def test_a_stage_without_models_has_nothing_to_declare_or_load():
    assert Breaks.adapters(None) == []
    Breaks().setup()


@pytest.mark.parametrize("stage", [Breaks(), BreaksTogether()], ids=["alone", "batched"])
def test_recordings_with_a_verdict_never_arrive(stage):
    batch = rows("bad", "a")
    batch[0].verdict = Verdict("rejected", "decode.min_peak")
    run_stage(stage, batch)
    assert stage.calls == [["a"]]
    assert batch[0].verdict.reason == "decode.min_peak"
    assert batch[0].segments


class Duet(Branched):
    """Two voices; what they hear of a recording is its name."""

    name = "duet"
    branches = ("one", "two")

    def setup_branch(self, name):
        """There are no models."""

    def branch(self, name, batch):
        if any(item.source.id == f"no-{name}" for item in batch):
            msg = "lost its voice"
            raise RuntimeError(msg)
        return [item.source.id for item in batch]

    def join(self, batch, found):
        for number, item in enumerate(batch):
            item.notes["duet"] = f"{found['one'][number]}, {found['two'][number]}"


def test_what_kills_the_worker_of_a_branch_has_its_reason_after_the_join():
    """Each branch has a copy of the recordings; only its own knows of the death."""
    duet, names = Duet(), ("a", "kills", "no-two", "b")
    copies = {name: rows(*names) for name in duet.branches}
    copies["two"][1].verdict = fail("worker", "the worker process died in stage duet")
    found = {name: run_branch(duet, name, copies[name]) for name in duet.branches}
    batch = rows(*names)
    run_join(duet, batch, found)
    assert [item.notes.get("duet") for item in batch] == ["a, a", None, None, "b, b"]
    assert batch[1].verdict == fail("worker", "the worker process died in stage duet")
    assert batch[2].verdict == fail("duet", "RuntimeError: lost its voice")
    assert not batch[1].segments
