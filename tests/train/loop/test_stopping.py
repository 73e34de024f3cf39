"""SIGTERM; that runs end by it is in tests/train/test_kill.py."""

import os
import signal
import threading

from curation.train.loop.stopping import on_sigterm


def test_sigterm_is_told_and_afterwards_heard_as_before():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("as before"))
    try:
        with on_sigterm() as told:
            assert not told()
            os.kill(os.getpid(), signal.SIGTERM)
            assert told()
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["as before"]


def test_a_thread_hears_no_signals():
    """A worker of Ray Train."""
    found = []

    def work():
        with on_sigterm() as told:
            found.append(told())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
