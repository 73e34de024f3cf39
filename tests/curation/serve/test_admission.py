"""Who is let in, and when one who is not may find a place."""

import asyncio

import pytest

from curation.serve.admission import Admission
from curation.serve.errors import BusyError
from curation.serve.work import while_connected


def seconds_until_free(running, waiting, taken, held):
    """What a refused client is told, after requests that took `taken` seconds, while `held` are there."""

    async def asked():
        admission = Admission(running, waiting)
        for seconds in taken:
            await admission.enter()
            admission.leave(seconds)
        entering = [asyncio.ensure_future(admission.enter()) for _ in range(held)]
        await asyncio.sleep(0)
        try:
            return int(admission.busy().headers["Retry-After"])
        finally:
            for task in entering:
                task.cancel()

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("running", "taken", "held", "expected"),
    [(1, [], 1, 1), (1, [7.2], 1, 8), (1, [2.0, 4.0], 3, 9), (2, [3.0], 5, 6), (4, [0.1], 4, 1)],
)
def test_a_client_is_told_to_come_when_those_before_it_are_likely_done(running, taken, held, expected):
    assert seconds_until_free(running, 8, taken, held) == expected


def test_more_than_may_wait_are_refused_and_a_place_is_given_back_once():
    async def crowd():
        admission = Admission(1, 1)
        first = await admission.enter()
        second = asyncio.ensure_future(admission.enter())
        await asyncio.sleep(0)
        assert (admission.held, admission.waiting) == (2, 1)
        with pytest.raises(BusyError):
            await admission.enter()
        first.leave()
        first.leave()
        assert admission.held == 1
        (await second).leave()
        assert (admission.held, admission.waiting) == (0, 0)

    asyncio.run(crowd())


def test_a_place_that_is_given_while_its_client_leaves_is_not_lost():
    async def leaving():
        admission = Admission(1, 1)
        first = await admission.enter()

        class Request:
            async def is_disconnected(self):
                first.leave()
                await asyncio.sleep(0.01)
                return True

        (await while_connected(Request(), admission.enter())).leave()
        assert admission.held == 0

    asyncio.run(leaving())
