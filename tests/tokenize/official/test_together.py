"""Calls of several threads as batches: who computes for whom, how large, and whom an error ends."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from curation.tokenize.official.together import Together


class Doubling:
    """Doubles numbers, and keeps the batches; the first waits until it may go on. Zero is an error, and the batch of
    number `interrupted` is interrupted.
    """

    def __init__(self, most=100, interrupted=-1):
        self.batches, self.began, self.go_on, self.interrupted = [], Event(), Event(), interrupted
        self.together = Together(self.compute, lambda number: number, most)

    def compute(self, numbers):
        self.batches.append(list(numbers))
        self.began.set()
        assert self.go_on.wait(60)
        if len(self.batches) == self.interrupted:
            raise KeyboardInterrupt
        if 0 in numbers:
            msg = "zero"
            raise ValueError(msg)
        return [2 * number for number in numbers]

    def results(self, *calls):
        """What each of the calls gives; all but the first come while that one is being computed."""
        with ThreadPoolExecutor(len(calls)) as threads:
            futures = [threads.submit(self.together, calls[0])]
            assert self.began.wait(60)
            for count, call in enumerate(calls[1:], start=1):
                futures.append(threads.submit(self.together, call))
                while self.together.waiting < count:
                    time.sleep(0.001)
            self.go_on.set()
            return [future.exception() or future.result() for future in futures]


def test_calls_that_wait_are_one_batch_and_each_gets_its_own():
    doubling = Doubling()
    assert doubling.results([1, 2], [3], [], [4, 5]) == [[2, 4], [6], [], [8, 10]]
    assert doubling.batches == [[1, 2], [3, 4, 5]]


def test_a_batch_is_bounded_and_a_larger_call_is_alone():
    doubling = Doubling(most=10)
    assert doubling.results([50], [4], [6], [11, 1], [1]) == [[100], [8], [12], [22, 2], [2]]
    assert doubling.batches == [[50], [4, 6], [11, 1], [1]]


def test_an_error_ends_the_call_that_causes_it_alone():
    doubling = Doubling()
    first, *rest, last = doubling.results([1], [2], [0, 3], [4])
    assert (first, rest[0], last) == ([2], [4], [8])
    assert isinstance(rest[1], ValueError)
    assert doubling.batches == [[1], [2, 0, 3, 4], [2], [0, 3], [4]]
    with pytest.raises(ValueError, match="zero"):
        doubling.together([0])
    assert doubling.together([5]) == [10]


def test_an_interrupt_of_one_caller_leaves_the_calls_of_others_to_be_made():
    first, *rest = Doubling(interrupted=2).results([1], [2], [3])
    assert first == [2]
    assert sum(isinstance(result, KeyboardInterrupt) for result in rest) == 1
    assert [result for result in rest if not isinstance(result, KeyboardInterrupt)] in ([[4]], [[6]])
