"""Pages of Ogg: where a hole inside one stands."""

import numpy as np
import pytest

from curation.stages.decode.clock import Decoded
from curation.stages.decode.ogg import in_pages


def page(place, times, unread=0):
    first = [unread] + [0] * (len(times) - 1)
    return [
        Decoded(time, np.zeros((1, 20), np.float32), 1000, 0.02, 10, bytes_, place)
        for time, bytes_ in zip(times, first, strict=True)
    ]


def stamps(items, end=None):
    return [pytest.approx(item.time) for item in in_pages(items, end)]


def test_pages_without_a_hole_stay_as_they_are():
    assert stamps([*page(0, [0.0, 0.02]), *page(9, [0.04, 0.06])], 0.08) == [0.0, 0.02, 0.04, 0.06]


def test_a_hole_is_before_the_last_packet_of_its_page():
    """FFmpeg puts it behind the first."""
    items = [*page(0, [0.0, 0.02]), *page(9, [0.04, 2.06, 2.08]), *page(20, [2.1, 2.12])]
    assert stamps(items, 2.14) == [0.0, 0.02, 0.04, 0.06, 2.08, 2.1, 2.12]


def test_a_hole_in_the_last_page_is_found_by_the_end():
    assert stamps(page(0, [0.0, 0.02, 0.04]), 1.0) == [0.0, 0.02, 0.98]
    assert stamps(page(0, [0.0, 0.02, 0.04])) == [0.0, 0.02, 0.04]


def test_after_a_page_that_was_destroyed_the_whole_page_is_late():
    items = [*page(0, [0.0, 0.02]), *page(9, [0.04, 1.06], unread=5000), *page(20, [1.08])]
    assert stamps(items, 1.1) == [0.0, 0.02, 1.04, 1.06, 1.08]


def test_stamps_that_begin_anew_are_no_hole():
    assert stamps([*page(0, [5.0, 5.02]), *page(9, [0.0, 0.02])], 0.04) == [5.0, 5.02, 0.0, 0.02]


def test_an_error_is_raised_after_what_came_before_it():
    def items():
        yield from page(0, [0.0, 0.02])
        yield from page(9, [0.04, 0.06])
        raise OSError("gone")  # noqa: EM101

    found = in_pages(items(), 0.08)
    assert [next(found).time for _ in range(4)] == [0.0, 0.02, 0.04, 0.06]
    with pytest.raises(OSError, match="gone"):
        next(found)
