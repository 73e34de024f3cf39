"""The prefetching thread: the same order, errors at their place, an end when nobody asks any more."""

import itertools
import threading

import pytest

from curation.train.data.prefetch import prefetched


def prefetch_threads():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_order_is_kept_and_the_end_is_found(depth):
    assert list(prefetched(iter(range(50)), depth)) == list(range(50))


@pytest.mark.parametrize("depth", [0, 3])
def test_an_error_comes_after_the_items_before_it(depth):
    def failing():
        yield 1
        yield 2
        msg = "no more"
        raise ValueError(msg)

    items = prefetched(failing(), depth)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="no more"):
        next(items)


def test_not_more_is_made_than_asked_for():
    made = itertools.count()
    items = prefetched((next(made) for _ in range(1000)), 3)
    assert next(items) == 0
    items.close()
    assert next(made) <= 1 + 3 + 1


def test_closing_ends_the_thread_and_the_source():
    closed = []

    def source():
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    items = prefetched(source(), 3)
    next(items)
    assert prefetch_threads()
    items.close()
    assert not prefetch_threads()
    assert closed == [True]
