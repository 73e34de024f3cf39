"""Notes of attempts: what killed its worker is known when the task comes again."""

import pytest

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.pipeline.guard.quarantine import UNEXPLAINED, Attempt, Crash, clear_notes, current_attempt, working_on

TASK = "label-00000003-000000"


@pytest.fixture
def out(tmp_path):
    return Storage(str(tmp_path))


def died(attempt, *notes, reason=None):
    """The attempt after one whose worker left these notes."""
    for recording, doing, spans in notes:
        attempt.note(recording, doing, spans)
    if reason is not None:
        attempt.explain(reason)
    return attempt.after_death()


def test_a_first_attempt_notes_nothing(out):
    attempt = Attempt(out, TASK)
    attempt.note("a", "decode")
    attempt.finish()
    assert not attempt.careful
    assert out.names("attempts") == []


def test_after_a_death_the_attempt_is_careful_and_notes_what_it_does(out):
    attempt = died(Attempt(out, TASK))
    assert (attempt.careful, attempt.victims, attempt.detail) == (True, {}, UNEXPLAINED)
    attempt.note("a", "decode")
    assert out.names("attempts") == [f"{TASK}.json"]
    attempt.finish()
    assert out.names("attempts") == []


def test_a_recording_on_which_a_careful_worker_died_is_a_victim(out):
    second = died(Attempt(out, TASK), ("good", "decode", 0))  # not careful: it was in company
    assert second.victims == {}
    third = died(second, ("good", "decode", 0), ("bad", "decode", 7))
    fourth = died(third, ("worse", "stage cut", 0), reason="it took 9 GiB")
    assert fourth.victims == {"bad": Crash(f"{UNEXPLAINED} in decode", 7), "worse": Crash("it took 9 GiB")}
    assert (fourth.deaths, fourth.hopeless) == (3, False)
    assert out.names("attempts") == []


def test_the_reason_of_a_watchdog_is_kept(out):
    attempt = died(Attempt(out, TASK), reason="stage cut did not finish")
    assert (attempt.detail, attempt.victims) == ("stage cut did not finish", {})


def test_deaths_for_which_no_recording_is_to_blame_leave_no_hope(out):
    attempt = Attempt(out, TASK)
    hopes = []
    for _ in range(3):
        attempt = attempt.after_death("ended")
        hopes.append(attempt.hopeless)
    assert hopes == [False, False, True]
    assert attempt.detail == "ended"


def test_tasks_do_not_know_each_other(out):
    died(Attempt(out, TASK)).note("bad", "decode")
    assert Attempt(out, "decode-00000003").after_death().victims == {}


def test_clearing_forgets_everything(out):
    attempt = died(Attempt(out, TASK))
    attempt.note("bad", "decode")
    clear_notes(out)
    assert out.names("attempts") == []
    assert attempt.after_death().victims == {}


def test_without_an_output_nothing_is_noted():
    attempt = Attempt().after_death()
    attempt.note("a", "decode")
    attempt.explain("reason")
    attempt.finish()
    assert attempt.after_death("gone").detail == "gone"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"run": "run"}'])
def test_a_damaged_note_is_named_with_the_remedy(out, content):
    out.write_bytes(f"attempts/{TASK}.json", content)
    with pytest.raises(DataError, match=rf"attempts/{TASK}\.json is damaged.*run the same command again"):
        Attempt(out, TASK).after_death()


def test_a_task_asks_for_the_attempt_that_its_process_works_on(out):
    attempt = Attempt(out, TASK, deaths=1)
    with working_on(attempt):
        current_attempt().note("a", "tokenizing")
        assert current_attempt() is attempt
    assert attempt.after_death().victims == {"a": Crash(f"{UNEXPLAINED} in tokenizing")}
    current_attempt().note("b", "tokenizing")  # of nobody
    assert out.names("attempts") == []
