"""A build with inputs and output on S3, killed at chosen requests: the rows of a local one, and never half a corpus."""

import os
import signal
import traceback
from collections import Counter

import fsspec
import pytest

from curation.core import faults
from curation.core.errors import StorageError
from curation.core.storage import Storage
from curation.manifests.index import read_index
from curation.pipeline import publish
from tests.curation.pipeline.test_edition import config, corpus, same
from tests.support.builds import toy_build, toy_config, write_recordings
from tests.support.commands import curation, message

NAMES = ["alpha", "beta", "gamma", "delta"]  # two units
FIRST = ["out/staging 2"]
SECOND = ["out/shards/_index.json"]
"""What a request of a build, and of its publish pass, has to contain to be the last one, and of how many."""


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(publish, "FILES_PER_TASK", 2)
    monkeypatch.setattr(faults, "DELAYS", (0.0,) * 6)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("in"), NAMES)


@pytest.fixture
def remote(recordings, s3_bucket):
    fsspec.filesystem("s3").put(str(recordings), f"{s3_bucket}/in", recursive=True)
    return f"{s3_bucket}/in"


@pytest.fixture
def out(s3_bucket):
    return Storage(f"{s3_bucket}/out")


def build_in_a_child(*arguments):
    """Fork, so that a kill takes the build with everything in it. Returns how it ended."""
    child = os.fork()
    if child:
        return child
    try:
        toy_build(*arguments)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing of the child may go on in the tests
        traceback.print_exc()
        os._exit(1)


def killed(s3, stop, *arguments):
    """Build until a request of this kind, then SIGKILL, before it is done or after. True if it came so far."""
    word, _, count = stop.partition(" ") if stop[-1].isdigit() else (stop, "", "1")
    method, _, path = word.rpartition(" ")
    seen, pid = [], []

    def fault(request):
        told = f"{request.path}?{request.query}" if request.method in {"PUT", "POST", "DELETE"} else ""
        if path in told and method in request.method:
            seen.append(request)
            if len(seen) == int(count):
                os.kill(pid[0], signal.SIGKILL)
                return 503 if len(stop) % 2 else None
        return None

    s3.fault = fault
    pid.append(build_in_a_child(*arguments))
    _, status = os.waitpid(pid[0], 0)
    s3.fault = lambda _: None
    return os.WIFSIGNALED(status)


def torture(s3, remote, out, tmp_path, stops, settings):
    """Kill at all stops, and see that there is always the old or the new corpus; then let a busy store end it."""
    toy_build(remote, tmp_path / "expected", settings)
    old = corpus(out) if out.exists("shards/_index.json") else None
    new = corpus(Storage(str(tmp_path / "expected")))
    for stop in stops:
        assert killed(s3, stop, remote, out.root, settings), stop
        if out.exists("shards/_index.json"):
            assert same(corpus(out), new) or (old is not None and same(corpus(out), old)), stop
        else:
            assert old is None, stop
    turn = iter(range(10**6))
    s3.fault = lambda _: {0: 503, 3: 500, 6: "reset"}.get(next(turn) % 20)
    toy_build(remote, out.root, settings)
    s3.fault = lambda _: None
    assert same(corpus(out), new)
    index = read_index(out)
    assert out.names("shards") == sorted(["_index.json", *(entry.file for entry in index.shards)])
    assert out.names("ledger") == sorted(index.ledger)
    assert out.names("publish") == out.names("judged") == []


def test_killed_at_its_last_write(s3, remote, out, tmp_path):
    torture(s3, remote, out, tmp_path, SECOND, config(0.15))


@pytest.mark.slow
def test_killed_at_many_requests_of_both_passes(s3, remote, out, tmp_path):
    passes = ["out/judged", "out/ledger", "out/publish/v", "out/shards/part"]
    torture(s3, remote, out, tmp_path / "a", ["out/plan/generation-000.json", *FIRST, *passes], config(0.15))
    torture(s3, remote, out, tmp_path / "b", [*passes, *SECOND, "DELETE out/shards", "out/summary"], config(0.05))


@pytest.mark.slow
def test_killed_at_every_write_of_a_publish_pass(s3, remote, out, tmp_path):
    toy_build(remote, out.root, config(0.15))
    old, number = corpus(out), 0
    toy_build(remote, tmp_path / "expected", config(0.05))
    new = corpus(Storage(str(tmp_path / "expected")))
    while killed(s3, f"out/ {(number := number + 1)}", remote, out.root, config(0.05)):
        assert same(corpus(out), old) or same(corpus(out), new)
        if same(corpus(out), new):
            toy_build(remote, out.root, config(0.15))
            assert same(corpus(out), old)
    assert number > 10  # each goes on where the one before was
    assert same(corpus(out), new)


def test_an_input_takes_two_requests_and_no_batch_is_searched_for(s3, remote, out):
    before = len(s3.requests)
    toy_build(remote, out.root, toy_config(unit_files=1))
    made = s3.requests[before:]
    inputs = Counter(request.kind for request in made if request.path.endswith(".wav"))
    assert inputs == {"HEAD": len(NAMES), "GET": len(NAMES)}
    assert not [request.query for request in made if request.kind == "LIST" and ".parquet" in request.query]


def test_one_file_that_a_busy_store_never_gives_ends_the_build_without_a_commit(s3, remote, out, monkeypatch):
    monkeypatch.setattr(faults, "DELAYS", (0.0,))
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    settings = toy_config(unit_files=1)
    s3.fault = lambda request: 503 if "in/beta" in request.path and request.method != "HEAD" else None
    with pytest.raises(StorageError, match=r"s3://.* run the same command again"):
        toy_build(remote, out.root, settings)
    s3.fault = lambda _: None
    assert out.names("shards") == []
    assert toy_build(remote, out.root, settings).failed_recordings == 0


def test_the_command_line_says_what_is_wrong_with_the_store(s3, s3_bucket, recordings):
    ended = curation("build", recordings, "-o", "s3://no-such-bucket-here/out", code=4)
    assert "bucket does not exist" in message(ended)
    ended = curation("build", recordings, "-o", "hdfs://host/out", code=2)
    assert "give a folder of this machine" in message(ended)
