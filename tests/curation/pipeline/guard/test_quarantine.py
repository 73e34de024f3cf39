"""Notes of attempts: what killed its worker is known when the task comes again."""

import pytest

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.pipeline.guard.quarantine import UNEXPLAINED, Crash, Quarantine

TASK = "00000003-000000"


@pytest.fixture
def out(tmp_path):
    return Storage(str(tmp_path))


def die(quarantine, *notes, reason=None):
    """Try the task as a worker that ends in the middle of it, without leaving the block."""
    context = quarantine.attempt(TASK)
    attempt = context.__enter__()
    for recording, doing, spans in notes:
        attempt.note(recording, doing, spans)
    if reason is not None:
        attempt.explain(reason)
    return attempt, context  # whoever holds the context keeps it from being closed


def test_a_task_that_ends_well_leaves_no_note(out):
    with Quarantine(out, "run").attempt(TASK) as attempt:
        assert not attempt.careful
        assert out.names("attempts") == [f"{TASK}.json"]
    assert out.names("attempts") == []


def test_a_task_that_raises_leaves_its_note_and_makes_the_next_attempt_careful(out):
    quarantine = Quarantine(out, "run")
    with pytest.raises(RuntimeError), quarantine.attempt(TASK):
        raise RuntimeError
    with quarantine.attempt(TASK) as attempt:
        assert attempt.careful
        assert attempt.victims == {}


def test_a_recording_on_which_a_careful_worker_died_is_a_victim(out):
    quarantine = Quarantine(out, "run")
    first = die(quarantine)
    second = die(quarantine, ("good", "decode", 0), ("bad", "decode", 7))
    third = die(quarantine, ("worse", "stage cut", 0), reason="it took 9 GiB")
    with quarantine.attempt(TASK) as attempt:
        assert attempt.crashes == 3
        assert attempt.victims == {"bad": Crash(f"{UNEXPLAINED} in decode", 7), "worse": Crash("it took 9 GiB")}
    del first, second, third


def test_notes_of_another_run_or_another_task_say_nothing(out):
    held = die(Quarantine(out, "earlier"), ("bad", "decode", 0))
    with Quarantine(out, "run").attempt(TASK) as attempt:
        assert (attempt.crashes, attempt.victims) == (0, {})
    held = die(Quarantine(out, "run"), ("bad", "decode", 0))
    with Quarantine(out, "run").attempt("decode-00000003") as attempt:
        assert not attempt.careful
    del held


def test_clearing_forgets_everything(out):
    quarantine = Quarantine(out, "run")
    held = die(quarantine, ("bad", "decode", 0))
    quarantine.clear()
    assert out.names("attempts") == []
    with quarantine.attempt(TASK) as attempt:
        assert not attempt.careful
    del held


@pytest.mark.parametrize("content", [b"", b"[]", b'{"run": "run"}'])
def test_a_damaged_note_is_named_with_the_remedy(out, content):
    out.write_bytes(f"attempts/{TASK}.json", content)
    with (
        pytest.raises(DataError, match=rf"attempts/{TASK}\.json is damaged.*run the same command again"),
        Quarantine(out, "run").attempt(TASK),
    ):
        pass
