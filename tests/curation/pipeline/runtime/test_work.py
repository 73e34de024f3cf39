"""What a worker process keeps, and what it frees for the next step of a build."""

import pickle
import weakref

from curation.core.errors import ModelError
from curation.pipeline.runtime.work import Process, Reply

HELD = []


class Model:
    """Refers to itself, as modules of torch do."""

    def __init__(self):
        self.me = self
        HELD.append(weakref.ref(self))

    def __call__(self, number):
        return Reply(number + 1)


def lacking():
    msg = "no model"
    raise ModelError(msg)


def test_a_process_frees_its_worker_before_the_next_step(monkeypatch):
    given = []
    monkeypatch.setattr("curation.pipeline.runtime.work.give_back_memory", lambda: given.append(HELD[-1]()))
    process = Process()
    assert process.load(pickle.dumps(Model)) is None
    assert process.call(2)[0].result == 3
    assert HELD[-1]() is not None
    process.clear()
    assert given == [None]
    assert process.load(pickle.dumps(Model)) is None
    assert process.call(4)[0].result == 5


def test_a_user_error_at_the_start_is_a_result():
    assert str(Process().load(pickle.dumps(lacking))) == "no model"
