"""Marks of the random sample refit the confidence (`stages/consensus/recalibrate.py`): the next publish pass has it, no
other mark changes it.
"""

import json
import shutil

import pytest

from curation.audit.marks import import_marks
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.fit.consensus_report import fit_on_build
from curation.fit.transcripts import GONE, marked, reference_utterances
from curation.manifests.marks.files import Drawn, Mark, add, digest
from curation.stages.consensus.confidence import load_calibration
from tests.curation.fit.heard import said
from tests.support.builds import rows, toy_build, toy_config
from tests.support.commands import curation

DRAWN = Drawn("kept/en/near", 3.0, 100)
SIZES = (10, 20, 60)
"""Of the strata. Twelve were heard of each, whatever was drawn with which weight."""
NOT_DRAWN = 36
"""Marks from this one on are of no random sample."""


def published(folder, out, **consensus):
    """Publish again, without a stage."""
    config = toy_config()
    own = config.model_copy(update={"consensus": config.consensus.model_copy(update={"max_pwer": 100.0, **consensus})})
    toy_build(folder / "in.jsonl", out, own, make_stages=lambda _: pytest.fail("labels again"))
    return {row["id"]: row for row in rows(out, "segments")}


def marks_of(segments, change=lambda _, mark: mark):
    """What an attentive listener says of each; the last four were not drawn at random."""
    found = []
    for number, (name, row) in enumerate(sorted(segments.items())):
        truth = " ".join(said(int(name[1:3])))
        is_right = row["text"] == truth
        mark = {
            "id": name,
            "kind": "text",
            "verdict": "right" if is_right else "wrong",
            "text_seen": digest(row["text"]),
        }
        mark |= {} if is_right else {"text": truth}
        mark |= (
            {"sample": {"stratum": f"kept/en/{number % 3}", "weight": 1.0 + number, "size": SIZES[number % 3]}}
            if number < NOT_DRAWN
            else {}
        )
        found.append(change(number, mark))
    return found


@pytest.fixture(scope="module")
def reviewed(built, tmp_path_factory):
    """(folder of `out`, its segments before, calibration file, report): a corpus, its marks, and the fit to them."""
    folder = tmp_path_factory.mktemp("reviewed")
    shutil.copytree(built / "out", folder / "out")
    segments = published(built, folder / "out")
    report = taken(folder / "out", folder / "calibration.json", marks_of(segments))
    return folder, segments, folder / "calibration.json", report


def taken(out, file, marks):
    """Import the marks, and fit to them."""
    lines = file.with_suffix(".jsonl")
    lines.write_text("".join(f"{json.dumps(mark)}\n" for mark in marks))
    import_marks(str(out), lines)
    return fit_on_build(str(out), None, file, marks=True)


def test_only_marks_of_the_random_sample_are_used_with_their_weights(reviewed):
    folder, _, _, report = reviewed
    assert (len(report.fitted.predicted), report.left_out["mark of no random sample"]) == (36, 4)
    found, _ = reference_utterances(str(folder / "out"), marks=True)
    assert [item.weight for item in sorted(found, key=lambda item: item.id)] == pytest.approx(
        [SIZES[number % 3] / 30 for number in range(NOT_DRAWN)]
    )
    assert all(item.reference == " ".join(said(int(item.id[1:3]))) for item in found)


def test_other_marks_change_nothing(reviewed, built):
    folder, segments, file, _ = reviewed
    other = folder / "other"
    shutil.copytree(built / "out", other)
    published(built, other)
    lie = lambda number, mark: mark if number < NOT_DRAWN else {**mark, "verdict": "wrong", "text": "no no no"}  # noqa: E731
    taken(other, folder / "again.json", marks_of(segments, lie))
    first, second = (json.loads(path.read_text()) for path in (file, folder / "again.json"))
    assert {**first, "about": ""} == {**second, "about": ""}


def test_the_next_publish_pass_has_the_confidence_of_the_fit(reviewed, built):
    folder, before, file, _ = reviewed
    fresh = load_calibration(f"path:{file}")
    marked_only = published(built, folder / "out")
    fresh_only = published(built, folder / "out", recalibration=f"path:{file}")
    values = sorted(row["confidence_calibrated"] for row in fresh_only.values() if row["confidence"] is not None)
    least = values[len(values) // 2]
    after = published(built, folder / "out", recalibration=f"path:{file}", min_confidence=least)
    assert {name: row["text"] for name, row in after.items()} == {
        name: row["text"] for name, row in marked_only.items()
    }
    systems = [name for name, row in after.items() if row["confidence"] is not None]
    assert systems
    assert all(after[name]["confidence_calibrated"] != before[name]["confidence_calibrated"] for name in systems)
    kept = {name for name in systems if after[name]["confidence_calibrated"] >= least}
    assert 0 < len(kept) < len(systems)
    assert {name for name in systems if after[name]["status"] == "kept"} == kept
    shards = {row["id"]: row for row in rows(folder / "out", "shards")}
    for name in kept & set(shards):
        scores = {item["name"]: item["value"] for item in shards[name]["scores"]}
        assert scores["confidence.calibrated"] == after[name]["confidence_calibrated"]
        notes = {item["name"]: item["value"] for item in shards[name]["notes"]}
        assert notes["consensus.calibration"] == fresh.name
    back = published(built, folder / "out")
    assert {name: row["confidence_calibrated"] for name, row in back.items()} == {
        name: row["confidence_calibrated"] for name, row in marked_only.items()
    }


def test_the_fit_is_that_of_the_labels_where_the_calibration_is_the_same(reviewed, built):
    """What is calculated from what was stored is what the label pass calculated."""
    folder, before, _, _ = reviewed
    after = published(built, folder / "out", recalibration="default")
    for name, row in after.items():
        assert row["confidence_calibrated"] in {before[name]["confidence_calibrated"], None}


def test_what_says_nothing_of_a_text_is_counted():
    marks = [
        Mark("a", "text", verdict="wrong", sample=DRAWN),
        Mark("b", "text", verdict="wrong", text="x", sample=DRAWN),
        Mark("b", "text", verdict="wrong", text="y", sample=DRAWN),
        Mark("c", "text", verdict="right", text_seen="s"),
        Mark("d", "reject", verdict="wrong", sample=DRAWN),
        Mark("e", "text", verdict="right", text_seen="s", sample=DRAWN),
        Mark("f", "text", verdict="right", text_seen="s", sample=DRAWN),
        Mark("f", "retract"),
        Mark("g", "text", verdict="wrong", sample=DRAWN),
        Mark("g", "text", verdict="wrong", text="z", sample=DRAWN, found="linked"),
        Mark("h", "text", verdict="right", text_seen="s", sample=DRAWN, found="searched"),
    ]
    known = marked(marks)
    assert {name: said for name, said in known.items() if not isinstance(said, str)} == {
        "e": (marks[5], DRAWN),
        "g": (marks[9], DRAWN),
    }
    causes = {name: said for name, said in known.items() if isinstance(said, str)}
    assert list(causes) == ["a", "b", "c", "h"]
    assert "too sure" in causes["a"]
    assert "conflict" in causes["b"]
    assert causes["c"] == causes["h"] == "mark of no random sample"


def test_each_utterance_that_is_left_out_is_counted_once(reviewed, built):
    folder, segments, _, _ = reviewed
    out = folder / "changed"
    shutil.copytree(built / "out", out)
    published(built, out)
    first, second, third, *_ = sorted(segments)
    add(
        Storage(str(out)),
        [
            Mark(first, "text", verdict="right", text_seen=digest("another text"), sample=DRAWN),
            Mark(second, "text", verdict="wrong", sample=DRAWN),
            Mark(third, "text", verdict="right", text_seen=digest(segments[third]["text"])),
            Mark("gone", "text", verdict="right", sample=DRAWN),
        ],
    )
    found, left_out = reference_utterances(str(out), marks=True)
    heard = len(found) + sum(left_out.values()) - left_out[GONE]
    assert (found, left_out[GONE]) == ([], 1)
    assert heard == sum(bool(row["hypotheses"]) for row in segments.values())
    assert left_out["marked as right, of a text that has changed"] == left_out["mark of no random sample"] == 1


def test_too_few_marks_are_named_with_the_remedy(story):
    with pytest.raises(ConfigError, match=r"0 utterances .* mark more of the random sample"):
        fit_on_build(str(story / "out"), None, story / "none.json", marks=True)
    told = curation("consensus", "fit", story / "out", "-o", story / "x", "--marks", "--transcripts", "t.csv", code=2)
    assert "give one" in told.stderr
