"""How a stage is run: rows with a verdict are left out, and what breaks costs one recording only."""

import pytest

from curation.manifests.records import Recording, Segment, Source, Verdict
from curation.stages.base import Stage, run_stage


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
        item.audio = item.original = [0.0] * 3
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
    assert (broken.segments, broken.audio, broken.original) == ([], None, None)


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
