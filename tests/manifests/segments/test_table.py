"""Segments: every interval that is not non-speech has a row that says why it is kept or not, with texts and scores."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.declarations import Score
from curation.manifests.segments.table import SegmentTable
from curation.manifests.verdicts import Rule
from curation.pipeline.assemble import declared_scores
from tests.support.builds import rows
from tests.support.story import REFUSED

FIRST = Rule("boundary.max_cut", "boundary.cut", ">", 0.8)


@pytest.fixture(scope="module")
def found(story):
    return rows(story / "out", "segments")


def of(found, recording):
    return [row for row in found if row["recording_id"] == recording]


def test_the_rows_are_those_of_the_ledger_without_non_speech(found, story):
    listed = [row for row in rows(story / "out", "ledger") if row["status"] != "non_speech"]
    for name in ("recording_id", "path", "seconds", "status", "reason", "value", "threshold"):
        assert [row[name] for row in found] == [row[name] for row in listed]
    assert [row["id"] for row in found] == [row["utterance_id"] for row in listed]
    assert [row["detail"] for row in found] == [row["detail"] or None for row in listed]


def test_a_kept_row_says_what_the_shard_says(found, story):
    kept = {row["id"]: row for row in found if row["status"] == "kept"}
    shards = rows(story / "out", "shards")
    assert list(kept) == [row["id"] for row in shards]
    for row in shards:
        names = ("start", "end", "seconds", "speaker", "language", "text", "hypotheses", "pwer", "confidence")
        assert [kept[row["id"]][name] for name in names] == [row[name] for name in names]


def test_texts_of_what_is_refused_are_there(found):
    judged = of(found, "refused")
    for (reason, said), row in zip(REFUSED, judged, strict=True):
        assert (row["reason"], row["status"]) == (reason, "rejected")
        assert row["text"] == said.get("text")
        assert [item["text"] for item in row["hypotheses"] or ()] == [text for _, text in said.get("heard", ())]


def test_all_rules_that_are_broken_and_missing(found, story):
    rules = json.loads((story / "out/shards/_index.json").read_text())["rules"]
    bits = {rule["field"].split(".")[1]: 1 << rule["bit"] for rule in rules}
    cut, few, empty, far = (bits[name] for name in ("max_cut", "min_independent", "min_words", "max_pwer"))
    expected = [cut, few, empty, far, cut + few + far, few + empty + far, empty + far, None, None]
    assert [row["rules_broken"] for row in of(found, "refused")] == expected
    missing = [row["rules_missing"] for row in of(found, "refused")]
    assert [bits if bits is None else bits & (few + far) for bits in missing] == [0, far, 0, 0, 0, 0, 0, None, None]
    names = {rule["score"]: rule["column"] for rule in rules}
    for row in found:
        for rule in rules:
            applies = not rule["unless"] or row[names[rule["unless"]]] is None
            if row["rules_missing"] is not None:
                assert bool(row["rules_missing"] >> rule["bit"] & 1) == (applies and row[rule["column"]] is None)


def test_what_was_not_measured_is_null(found):
    short, (silent,) = of(found, "refused")[7], of(found, "silent")
    for row in (short, silent):
        assert {row[name] for name in ("pwer", "words", "cps", "text", "language", "rules_broken")} == {None}
    assert (silent["id"], silent["staging_file"], silent["staging_row"]) == (None, None, None)
    assert of(found, "refused")[8]["speaker"] is None  # overlapped speech is nobody's
    assert short["speaker"] == "refused-S0"


def test_scores_without_a_column(found):
    row = of(found, "tokyo")[0]
    assert row["scores"] == [{"name": "recording.level", "value": -20.0}]


def test_the_pointer_leads_to_the_row_with_the_audio(found, story):
    for row in found:
        if row["staging_file"] is not None:
            speech = pq.read_table(story / f"out/speech/{row['staging_file']}.parquet", columns=["id"])
            assert speech["id"][row["staging_row"]].as_py() == row["id"]


def test_the_metadata_of_each_file_names_rules_and_scores(story):
    metadata = pq.read_schema(story / "out/segments/part-000000.parquet").metadata
    assert (
        json.loads(metadata[b"curation.rules"]) == json.loads((story / "out/shards/_index.json").read_text())["rules"]
    )
    assert json.loads(metadata[b"curation.scores"])["systems"] == "transcribe.systems"


def test_a_new_score_has_a_column_without_another_place_to_name_it():
    scores = [
        Score("a.b", "s", "new"),
        Score("a.*", "1", "many"),
        Score("text", "1", "clash"),
        Score("a_b", "1", "late"),
    ]
    table = SegmentTable([*scores, Score("boundary.cut", "1", "cut", short="cut")], [FIRST])
    assert list(table.by_column) == ["a_b", "cut"]
    assert table.by_column["a_b"].unit == "s"
    assert table.schema.field("a_b").type == pa.float64()
    assert table.described_rules()[0]["column"] == "cut"


def test_the_columns_that_the_specification_names():
    names = {column.name for column in SegmentTable(declared_scores(), []).columns}
    assert names >= {
        *("id", "recording_id", "path", "start", "end", "seconds", "speaker", "language", "status", "reason", "cps"),
        *("rules_broken", "rules_missing", "text", "hypotheses", "outlier", "pwer", "confidence", "boundary_cut"),
        *("systems", "words", "dnsmos_ovrl", "compression_ratio", "repeated_trigram_share", "no_speech_probability"),
        *("language_probability", "staging_file", "staging_row"),
    }
