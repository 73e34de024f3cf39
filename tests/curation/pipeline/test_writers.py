"""What a publish pass writes at once: a bounded piece, whatever the size of a shard or a recording."""

import itertools
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.declarations import Score
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests import plan
from curation.manifests.groups import groups, id_ranges
from curation.manifests.records import Recording, Segment, Source, Verdict, fail
from curation.manifests.segments.table import SegmentTable
from curation.manifests.selection import LabelledBuild
from curation.manifests.staging import BatchName, commit, committed, read
from curation.manifests.verdicts import Rule
from curation.pipeline import writers
from curation.pipeline.run import build
from tests.support.builds import in_order, table, toy_build, toy_config, write_recordings
from tests.support.story import publish_again
from tests.support.toy import toy_stages


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), max_size=8), st.sampled_from([0.0, 3.0, 1800.0]))
def test_pieces_are_all_rows_in_order_and_end_with_a_file_once_they_are_long_enough(files, seconds):
    file = np.repeat(np.arange(len(files)), [rows for rows, _ in files])
    lengths = np.repeat([length * 16_000 for _, length in files], [rows for rows, _ in files]).astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "PIECE_SECONDS", seconds)
        found = list(writers.pieces(file, lengths))
    assert [row for start, end in found for row in range(start, end)] == list(range(len(file)))
    for (start, end), _ in itertools.pairwise(found):
        assert file[end - 1] != file[end]
        assert lengths[start:end].sum() >= seconds * 16_000
    for start, end in found:  # no file more than what is needed
        assert start < end
        before = file[start:end] < file[end - 1]
        assert lengths[start:end][before].sum() < max(seconds * 16_000, 1)


def test_a_recording_in_pieces_gives_the_same_shards(story, tmp_path, monkeypatch):
    found = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(writers, "PIECE_SECONDS", seconds)
        (tmp_path / str(seconds)).mkdir()
        found.append(table(publish_again(story, tmp_path / str(seconds), "publish.audio=true"), "shards"))
    assert found[0].equals(found[1])
    assert found[0]["audio"].null_count == 1  # the utterance without audio in staging


def test_a_corpus_that_grew_is_the_one_that_was_built_at_once_whatever_is_in_memory(tmp_path, monkeypatch):
    """Recordings that come later lie between the earlier ones, in groups and parts of one unit, or of all."""
    config = toy_config(unit_files=2)
    config = config.model_copy(update={"publish": config.publish.model_copy(update={"shard_hours": 3 / 3600})})
    folder = write_recordings(tmp_path / "in", list("abcdefgh"), seconds=2)
    toy_build(folder, tmp_path / "whole", config)
    for most, units in ((1, 1), (64, 256)):
        monkeypatch.setattr(plan, "UNITS_PER_PART", units)
        monkeypatch.setattr(writers, "groups", partial(groups, most_files=most))
        monkeypatch.setattr(writers, "KEPT_ROWS", most)
        out = tmp_path / f"grown-{most}"
        for names in ("aceg", "bcf", "dh"):
            build(config, [f"{folder}/{name}.wav" for name in names], str(out), make_stages=toy_stages)
        for name in ("ledger", "segments", "shards"):
            expected = in_order(tmp_path / "whole", name)
            assert expected.num_rows > 8
            assert in_order(out, name).equals(expected)
        assert len(list((out / "ledger").iterdir())) == (4 if units == 1 else 3)
        build(config, [], str(out), make_stages=toy_stages, compact=True)
        for name in ("ledger", "shards"):
            assert table(out, name).equals(table(tmp_path / "whole", name))
        assert len(list((out / "ledger").iterdir())) == (4 if units == 1 else 3)


LABELLED = st.fixed_dictionaries(
    {},
    optional={
        "pwer": st.floats(0, 1),
        "text.words": st.integers(0, 3).map(float),
        "language": st.sampled_from(["de", "en", "zh"]),
        "verdict": st.sampled_from(["rejected", "failed"]),
    },
)
RULES = [Rule("consensus.min_words", "text.words", "<", 1), Rule("consensus.max_pwer", "pwer", ">=", 0.15)]


@settings(max_examples=settings.default.max_examples // 2)
@given(st.lists(st.lists(st.none() | LABELLED, max_size=5), min_size=1, max_size=4), st.integers(1, 4))
def test_the_segments_add_up_to_the_ledger_whatever_the_labels_are(tmp_path_factory, labels, per_file):
    """By status, reason and language; None is a span with a verdict of its own."""
    out = Storage(str(tmp_path_factory.mktemp("sums")))
    recordings = [item for number, spans in enumerate(labels) for item in labelled_recording(number, spans)]
    todo = [plan.Todo(item.source) for item in recordings if item.last]
    plan.extend_plan(out, plan.Plan(out), todo, unit_files=99, unit_bytes=10**9)
    for number, start in enumerate(range(0, len(recordings), per_file)):
        commit(out, BatchName(0, number), recordings[start : start + per_file], StageTimes(), audio=False)
    labelled = LabelledBuild(out, RULES, 0.5, edition=1)
    for name in committed(out):
        labelled.store(name, labelled.judge(read(out, name)))
    writer = writers.LedgerWriter(labelled, SegmentTable([Score("pwer", "1", "")], RULES))
    (part,) = map(writers.LedgerTask, id_ranges(plan.read_plan(out), committed(out)))
    written = writer(part)
    listed, found = (table(Path(out.root), folder) for folder in ("ledger", "segments"))
    listed = listed.filter(pc.not_equal(listed["status"], "non_speech"))
    assert set(found["path"].to_pylist()) <= {"https://host/a"}  # without its signature
    keys = ["status", "reason"]
    by_reason = {tuple(row[key] or "" for key in keys): row for row in sums(listed, keys)}
    assert {tuple(row[key] or "" for key in keys): row for row in sums(found, keys)} == by_reason
    by_language = sums(found, [*keys, "language"])
    for key, row in by_reason.items():
        mine = [part for part in by_language if tuple(part[name] or "" for name in keys) == key]
        assert sum(part["seconds_count"] for part in mine) == row["seconds_count"]
        assert sum(part["seconds_sum"] for part in mine) == pytest.approx(row["seconds_sum"])
    summed = {(status, reason): samples for status, reason, _, samples in written.tally.verdicts()}
    for key, row in by_reason.items():
        assert row["seconds_sum"] * 16_000 == pytest.approx(summed[key])
    said = Counter(item.language or None for one in recordings for item in one.segments)
    assert Counter(found["language"].to_pylist()) - Counter({None: found.num_rows}) == said - Counter({None: 999})


def labelled_recording(number, spans):
    """A recording whose spans of a second hold a segment each, or have a verdict."""
    for place, label in enumerate(spans or [None]):
        span = Recording(Source(f"r{number}", "https://host/a?sig=1"), span=place, offset=16_000 * place)
        span.num_samples, span.last = 16_000, place == max(len(spans), 1) - 1
        if label is None:
            span.verdict = fail("decode", "broken")
        else:
            segment = Segment(span.offset + 100, span.offset + 9_000 + 7 * place, speaker="S0")
            segment.language = label.get("language", "")
            segment.scores = {name: label[name] for name in ("pwer", "text.words") if name in label}
            if "verdict" in label:
                segment.verdict = Verdict(label["verdict"], "diarize.min_seconds")
            span.segments.append(segment)
        yield span


def sums(found, keys):
    return found.group_by(keys).aggregate([("seconds", "sum"), ("seconds", "count")]).to_pylist()
