"""Conservation: whatever the stages make of a recording, the ledger tiles it exactly."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.groups import RecordingGroup
from curation.manifests.ledger import ConservationError, ledger_rows
from curation.manifests.plan import Plan, Todo, extend_plan
from curation.manifests.records import Recording, Segment, Source, Verdict, fail
from curation.manifests.selection import LabelledBuild, Selection
from curation.manifests.staging import BatchName, commit
from curation.manifests.verdicts import Rule
from tests.support.builds import rows as rows_of
from tests.support.story import DETAIL, RECORDINGS, REFUSED, SCRIPTS

RULES = [Rule("consensus.max_pwer", "pwer", ">=", 0.15)]


@st.composite
def segments(draw, start, end):
    """Segments between two samples that do not overlap, each judged in one of the possible ways."""
    marks = sorted(draw(st.lists(st.integers(start, end), max_size=8, unique=True)))
    made = []
    for first, last in zip(marks[::2], marks[1::2], strict=False):
        kind = draw(st.sampled_from(["scored", "rejected", "failed", "unscored"]))
        segment = Segment(first, last, speaker="S0")
        if kind == "scored":
            segment.scores["pwer"] = draw(st.floats(0, 1))
        elif kind == "rejected":
            segment.verdict = Verdict("rejected", "diarize.min_seconds", 0.2, 1.0)
        elif kind == "failed":
            segment.verdict = fail("transcribe", "broke")
        made.append(segment)
    return made


@st.composite
def recordings(draw):
    """Recordings of one or several spans, with segments or with a verdict on the whole span."""
    made = []
    for number in range(draw(st.integers(1, 3))):
        offset, spans = 0, draw(st.integers(1, 3))
        for span in range(spans):
            length = draw(st.integers(0, 100_000))
            recording = Recording(Source(f"r{number}", f"r{number}.wav"), span=span, offset=offset, num_samples=length)
            recording.last = span == spans - 1
            if draw(st.booleans()):
                recording.segments = draw(segments(offset, offset + length))
            else:
                recording.verdict = fail("decode", "broken")
            offset += length
            made.append(recording)
    return made


def ledger_of(recordings, folder):
    out = Storage(str(folder))
    name = BatchName(0, 0, last=True)
    commit(out, name, recordings, StageTimes(), audio=False)
    sources = {recording.source.id: recording.source for recording in recordings}
    todo = [Todo(sources[identifier]) for identifier in sorted(sources)]
    extend_plan(out, Plan(out), todo, unit_files=9, unit_bytes=9)
    selection = LabelledBuild(out, RULES, speaker_threshold=0.5).select(
        RecordingGroup(dict.fromkeys(sorted(sources), 0), (name,))
    )
    return ledger_rows(selection).to_pylist()


@given(made=recordings())
def test_rows_tile_every_recording(made, tmp_path_factory):
    rows = ledger_of(made, tmp_path_factory.mktemp("ledger"))
    for identifier in {recording.source.id for recording in made}:
        mine = [row for row in rows if row["recording_id"] == identifier]
        total = sum(recording.num_samples for recording in made if recording.source.id == identifier)
        edges = [(row["start_sample"], row["end_sample"]) for row in mine]
        assert [start for start, _ in edges] == [0, *(end for _, end in edges[:-1])]
        assert edges[-1][1] == total
        assert sum(row["seconds"] for row in mine) == pytest.approx(total / 16000, abs=1e-3)
    judged = [segment for recording in made for segment in recording.segments]
    assert sum(row["utterance_id"] is not None for row in rows) == len(judged)


def test_kept_only_below_the_threshold_and_never_without_a_score(tmp_path):
    recording = Recording(Source("r", "r.wav"), num_samples=1000)
    for number, pwer in enumerate([0.149, 0.15, None]):
        scores = {} if pwer is None else {"pwer": pwer}
        recording.segments.append(Segment(number * 100, number * 100 + 50, scores=scores))
    rows = [row for row in ledger_of([recording], tmp_path) if row["status"] != "non_speech"]
    assert [row["status"] for row in rows] == ["kept", "rejected", "failed"]
    assert (rows[1]["reason"], rows[1]["value"], rows[1]["threshold"]) == ("consensus.max_pwer", 0.15, 0.15)
    assert "pwer" in rows[2]["detail"]


@pytest.mark.parametrize(
    "made",
    [
        [Recording(Source("r", "r"), num_samples=100, segments=[Segment(0, 60), Segment(50, 80)])],
        [Recording(Source("r", "r"), num_samples=100, segments=[Segment(0, 101)])],
        [
            Recording(Source("r", "r"), span=0, num_samples=100, last=False),
            Recording(Source("r", "r"), span=1, offset=100, num_samples=50, segments=[Segment(90, 120)]),
        ],
        [Recording(Source("r", "r"), num_samples=100, segments=[Segment(60, 50)])],
        [Recording(Source("r", "r"), span=0, num_samples=100, last=False)],
        [
            Recording(Source("r", "r"), span=0, num_samples=100, last=False),
            Recording(Source("r", "r"), span=1, offset=120, num_samples=5),
        ],
    ],
    ids=[
        "overlap",
        "after-its-span",
        "before-its-span",
        "backwards",
        "no-last-span",
        "gap-between-spans",
    ],
)
def test_what_does_not_add_up_is_one_failed_row(made, tmp_path):
    (row,) = ledger_of([*made, Recording(Source("s", "s"), num_samples=5)], tmp_path)[:-1]
    assert (row["recording_id"], row["path"], row["status"], row["reason"]) == ("r", "r", "failed", "staging")
    assert "label it again with --retry-failed" in row["detail"]


def test_rows_that_do_not_tile_are_a_bug(tmp_path):
    spans = [Recording(Source("r", "r"), num_samples=100, segments=[Segment(0, 60)])]
    name = BatchName(0, 0, last=True)
    out = Storage(str(tmp_path))
    commit(out, name, spans, StageTimes(), audio=False)
    selection = LabelledBuild(out, RULES, speaker_threshold=0.5).select(RecordingGroup({"r": 0}, (name,)))
    twice = Selection(selection.spans, pa.concat_tables([selection.segments] * 2))
    with pytest.raises(ConservationError, match="intervals of recording r overlap at sample 0"):
        ledger_rows(twice)


def test_verdicts_of_a_build_with_reason_value_and_threshold(story):
    found = {}
    for row in rows_of(story / "out", "ledger"):
        if row["status"] != "non_speech":
            found.setdefault(row["recording_id"], []).append(row)
    for (reason, said), row in zip(REFUSED, found["refused"], strict=True):
        assert (row["status"], row["reason"]) == ("rejected", reason)
        assert (row["start_sample"], row["end_sample"]) == (said["start"] * 16_000, said["end"] * 16_000)
        assert (row["seconds"], row["speaker"]) == (said["end"] - said["start"], said["speaker"])
    measured = [(row["value"], row["threshold"]) for row in found["refused"]]
    cut, few, empty = (0.9375, 0.5), (1.0, 2.0), (0.0, 1.0)
    assert measured == [cut, few, empty, (0.15, 0.15), cut, few, empty, (0.25, 1.0), (None, None)]
    assert [(row["status"], row["reason"], row["detail"]) for row in found["unsure"]] == [
        ("failed", "consensus.max_pwer", "no score pwer: label again"),
        ("failed", "transcribe", DETAIL),
        ("failed", "tokenize", "no audio in staging: build with engine.staging_audio"),
        ("kept", None, None),
    ]
    assert all(row["status"] == "kept" for name in ("ann", "duo", "long", "tokyo") for row in found[name])
    (silent,), (raises,), (absent,) = found["silent"], found["raises"], found["absent"]
    assert (silent["status"], silent["reason"], silent["value"]) == ("rejected", "decode.min_peak", 0.0)
    assert (raises["status"], raises["reason"], raises["detail"]) == ("failed", "scripted", "RuntimeError: asked to")
    assert (absent["status"], absent["reason"], absent["end_sample"]) == ("failed", "decode", 0)
    assert all(row["utterance_id"] is None for row in (silent, raises, absent))


def test_each_row_names_its_recording_and_its_file(story):
    files = {columns["id"]: name for name, (_, _, columns) in RECORDINGS.items()}
    found = rows_of(story / "out", "ledger")
    assert list(dict.fromkeys(row["recording_id"] for row in found)) == sorted(files)
    for row in found:
        assert row["path"] == str(story / "in" / files[row["recording_id"]])
        start = f"{row['recording_id']}-{row['start_sample']:010d}-{row['end_sample']:010d}"
        assert row["utterance_id"] in (None, start)
    assert sum(row["utterance_id"] is not None for row in found) == sum(map(len, SCRIPTS.values()))


def test_what_was_no_segment_is_non_speech(story):
    quiet = [row for row in rows_of(story / "out", "ledger") if row["status"] == "non_speech"]
    found = [(row["recording_id"], row["start_sample"] / 16_000, row["seconds"]) for row in quiet]
    assert [row for row in found if row[0] in ("ann", "long", "still")] == [
        ("ann", 0.0, 0.5),
        ("ann", 1.5, 0.5),
        ("ann", 3.25, 0.75),
        ("long", 0.0, 0.5),
        ("long", 4.0, 1.0),
        ("long", 7.5, 1.5),
        ("still", 0.0, 1.0),
    ]
    others = ("utterance_id", "speaker", "reason", "value", "threshold", "detail")
    assert all(row[name] is None for row in quiet for name in others)
