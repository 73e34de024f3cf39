"""A publish pass that is killed anywhere leaves the old corpus or the new one, and goes on where it was."""

import hashlib
import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import DataError, LockError
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.duplicates.exact import Content
from curation.manifests.error_rates import ErrorRate
from curation.manifests.index import FILE, ShardEntry, ShardIndex, read_index
from curation.manifests.summary import LedgerTally, read_summary
from curation.pipeline.edition import Edition, folder_of, stored
from curation.pipeline.job import BatchesJudged, FileRewritten, LedgerPartWritten, ShardWritten
from tests.support.builds import toy_build, toy_config, write_recordings
from tests.support.faults.killing import Killed, KillingFileSystem

pytestmark = pytest.mark.usefixtures("small_tasks")

NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("in"), NAMES)


def config(max_pwer):
    base = toy_config()
    return base.model_copy(
        update={
            "consensus": base.consensus.model_copy(update={"max_pwer": max_pwer}),
            "publish": base.publish.model_copy(update={"shard_hours": 4 / 3600}),
        }
    )


def corpus(out):
    """Rows of shards, ledger and segments as the index names them; every file is the one that it describes."""
    index = read_index(out)
    rows = []
    for entry in index.shards:
        content = out.read_bytes(f"shards/{entry.file}")
        assert hashlib.sha256(content).hexdigest() == entry.sha256
        rows.append(pq.read_table(io.BytesIO(content)).replace_schema_metadata())
    for folder, names in (("ledger", index.ledger), ("segments", index.segments)):
        rows.append(pa.concat_tables(out.read_table(f"{folder}/{name}").replace_schema_metadata() for name in names))
    *published, ledger, segments = rows
    return pa.concat_tables(published), ledger, segments, index.thresholds["consensus.max_pwer"]


def same(one, other):
    return all(a.equals(b) if isinstance(a, pa.Table) else a == b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_anywhere_the_corpus_is_the_old_or_the_new_one(recordings, every):
    out = Storage("killing:///out")
    toy_build(recordings, out.root, config(0.15))
    start = dict(KillingFileSystem.store)
    old = corpus(out)
    KillingFileSystem.arm(None)
    toy_build(recordings, out.root, config(0.05))
    steps, new = len(KillingFileSystem.steps), corpus(out)
    assert 0 < new[0].num_rows < old[0].num_rows
    assert steps >= 30
    seen = []
    for fatal in sorted({*range(0, steps, every), steps - 1}):
        KillingFileSystem.store.clear()
        KillingFileSystem.store.update(start)
        KillingFileSystem.arm(fatal)
        with pytest.raises(Killed):
            toy_build(recordings, out.root, config(0.05))
        seen.append("old" if same(corpus(out), old) else "new")
        assert seen[-1] == "old" or same(corpus(out), new)
        KillingFileSystem.arm(None)
        summary = toy_build(recordings, out.root, config(0.05), force_unlock=True)
        assert same(corpus(out), new)
        assert read_summary(out) == summary
        assert (summary.utterances, summary.recordings) == (new[0].num_rows, len(NAMES))
        index = read_index(out)
        assert out.names("shards") == sorted(["_index.json", *(entry.file for entry in index.shards)])
        assert out.names("ledger") == sorted(index.ledger)
        assert out.names("segments") == sorted(index.segments)
        assert out.names("publish") == out.names("judged") == []
        if seen[-1] == "old":
            resumed = [step for step in KillingFileSystem.steps if step.endswith(".parquet")]
            assert len(resumed) <= steps - fatal  # what was finished was not done again
    assert seen == sorted(seen, reverse=True)
    assert {"old", "new"} == set(seen)


def test_a_pass_with_other_settings_starts_anew(tmp_path):
    out = Storage(str(tmp_path))
    first = Edition.begin(out, {"max_pwer": 0.1})
    assert first.number == 1
    unfinished = "part-00000-of-00001.parquet"
    out.write_bytes(f"shards/{unfinished}", b"unfinished")
    out.write_bytes("judged/v1/x.parquet", b"of the other threshold")
    assert Edition.begin(out, {"max_pwer": 0.1}) == first
    second = Edition.begin(out, {"max_pwer": 0.2})
    assert second.number == 2
    assert out.names("shards") == [unfinished]  # whoever makes the first may still be at it
    second.end(second.switch(ShardIndex([])))
    assert out.names("shards") == ["_index.json"]
    assert out.names("judged") == out.names("publish") == []


def test_a_damaged_index_does_not_endanger_what_may_be_the_corpus(tmp_path):
    out = Storage(str(tmp_path))
    out.write_bytes(FILE, b"{")
    out.write_bytes("shards/part-00000-of-00001-v7.parquet", b"the corpus")
    assert Edition.begin(out, {}).number == 8
    assert out.exists("shards/part-00000-of-00001-v7.parquet")


def late_and_later(out):
    """A pass that lost its lock, and one that began after it; each has written a shard."""
    late, later = Edition.begin(out, {"max_pwer": 0.1}), Edition.begin(out, {"max_pwer": 0.2})
    for edition in (late, later):
        out.write_bytes(f"shards/part-00000-of-00001-v{edition.number}.parquet", b"x")
    return late, later


def test_a_pass_that_is_late_does_not_replace_the_corpus_of_another(s3_bucket):
    out = Storage(s3_bucket)
    late, later = late_and_later(out)
    out.write_bytes("generations/notes.txt", b"of somebody else")
    later.end(later.switch(ShardIndex([])))
    with pytest.raises(LockError, match=r"shards/_index\.json was written by another build"):
        late.switch(ShardIndex([], edition=late.number))
    assert read_index(out).edition == later.number
    assert out.names("shards") == ["_index.json"]
    assert out.names("generations") == ["000001.json", "000002.json", "notes.txt"]


def test_a_pass_that_is_late_removes_nothing_of_another(s3_bucket):
    out = Storage(s3_bucket)
    late, later = late_and_later(out)
    for edition in (late, later):
        out.write_bytes(f"judged/v{edition.number}/x.parquet", b"x")
    late.end(late.switch(ShardIndex([])))
    assert (out.names("judged"), out.names("publish")) == (["v2"], ["v2"])
    assert "part-00000-of-00001-v2.parquet" in out.names("shards")
    with pytest.raises(LockError):
        later.switch(ShardIndex([], edition=later.number))
    resumed = Edition.begin(out, {"max_pwer": 0.2})
    resumed.switch(ShardIndex([]))
    assert read_index(out).edition == resumed.number == 3  # what it would replace is another corpus now
    assert [step.number for step in read_index(out).generations] == [1, 3]


def test_two_passes_do_not_get_one_number(s3_bucket, s3):
    out, other = Storage(s3_bucket), Storage(s3_bucket)
    begun = []

    def other_is_faster(request):
        if request.method == "PUT" and "pass.json" in request.path and not begun:
            begun.append(request)
            other.write_bytes("publish/v1/pass.json", b'{"key": "another"}')

    s3.fault = other_is_faster
    with pytest.raises(LockError, match=r"publish/v1/pass\.json was written by another build"):
        Edition.begin(out, {})


def test_a_switch_whose_answer_is_lost_is_one(s3_bucket, s3):
    out = Storage(s3_bucket)
    edition, lost = Edition.begin(out, {}), iter(["unanswered"])
    s3.fault = lambda request: next(lost, None) if request.method == "PUT" else None
    edition.switch(ShardIndex([], edition=1))
    assert read_index(out).edition == 1


@dataclass(frozen=True)
class Numbered:
    number: int

    @property
    def name(self):
        return f"task-{self.number}"


TASKS = [Numbered(number) for number in range(5)]
ENTRY = ShardEntry("part.parquet", 3, "a" * 64, 1.5, {"glm": 20}, 9, {"de": 3}, {"": 3})
RESULTS = [
    BatchesJudged(
        label_times=StageTimes({"vad": 1.5}, {"whisper": 2.0}, 7),
        label_errors={"whisper": ErrorRate(3, 1, "broken")},
        contents=[Content("alpha", 0, "c" * 64)],
        model_seconds={"tokenize.compact": 0.25},
        audio_seconds=3.0,
        warning="on the CPU",
    ),
    LedgerPartWritten(
        number=1,
        file="part.parquet",
        kept_samples=16_000,
        tally=LedgerTally(2, 1, {"kept": {"": (3, 16_000)}, "failed": {"decode": (1, 5)}}, 1),
        sha256={"ledger/part.parquet": "b" * 64},
    ),
    ShardWritten(entry=ENTRY),
    FileRewritten(was="part.parquet", file="part-v2.parquet", entry=ENTRY),
    FileRewritten(was="part.parquet", file=""),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_what_was_stored_is_given_again_and_only_the_rest_is_worked_on(tmp_path, result):
    out, given = Storage(str(tmp_path)), []
    for task in TASKS[::2]:
        assert stored(out, 7, task, result) == result

    def work(tasks):
        for task in tasks:
            given.append(task)
            yield task.number

    found = list(Edition(out, 7).each(TASKS, type(result), work))
    assert given == TASKS[1::2]
    assert [item for item in found if not isinstance(item, int)] == [result] * 3
    assert [item for item in found if isinstance(item, int)] == [1, 3]
    assert list(Edition(out, 8).each(TASKS, type(result), work)) == [0, 1, 2, 3, 4]  # another pass has its own


def test_no_worker_is_made_where_all_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr("curation.pipeline.edition.AT_ONCE", 2)
    out = Storage(str(tmp_path))
    for task in TASKS:
        stored(out, 1, task, RESULTS[2])
    assert list(Edition(out, 1).each(TASKS, ShardWritten, lambda _: pytest.fail("nothing to do"))) == [RESULTS[2]] * 5


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"entry": {"file": "../out"}}'])
def test_a_damaged_result_is_named(tmp_path, content):
    out = Storage(str(tmp_path))
    out.write_bytes(f"{folder_of(1)}/task-2.json", content)
    with pytest.raises(DataError, match=r"publish/v1/task-2\.json is damaged .*: remove it and run the same command"):
        list(Edition(out, 1).each(TASKS, ShardWritten, lambda _: iter(())))
