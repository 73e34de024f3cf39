"""Conservation: whatever the stages make of a recording, the ledger tiles it exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.manifests.ledger import ConservationError, ledger_rows
from curation.manifests.records import Recording, Segment, Source, Verdict, fail
from curation.manifests.selection import Run, select
from curation.manifests.staging import BatchName, commit
from curation.manifests.verdicts import Rule

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
    commit(out, name, recordings, {}, audio=False)
    selection = select(out, Run(0), [name], RULES, fingerprint=None, speaker_threshold=0.5)
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
            Recording(Source("r", "r"), span=0, num_samples=100, last=True),
            Recording(Source("r", "r"), span=1, offset=100),
        ],
        [Recording(Source("r", "r"), span=0, num_samples=100, last=False)],
        [
            Recording(Source("r", "r"), span=0, num_samples=100, last=False),
            Recording(Source("r", "r"), span=1, offset=120, num_samples=5),
        ],
    ],
    ids=["overlap", "outside", "two-last-spans", "no-last-span", "gap-between-spans"],
)
def test_what_does_not_add_up_is_refused(made, tmp_path):
    with pytest.raises(ConservationError, match="r"):
        ledger_of(made, tmp_path)
