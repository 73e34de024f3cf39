"""Which worker gets a call, and who is to blame when one dies."""

import asyncio

import pytest

from curation.core.errors import ModelError, WorkerError
from curation.manifests.runs import PoolTimes
from curation.pipeline.runtime.pool import DEATHS_IN_A_ROW, DiedError, Pool
from curation.pipeline.runtime.work import Reply
from tests.support.faults.machines import CrashError, Machines


class Worker:
    """Gives its number and the task back, or does what the task says."""

    made = 0

    def __init__(self):
        type(self).made += 1
        self.number = type(self).made

    async def __call__(self, task):
        await asyncio.sleep(0)
        if task == "crash":
            raise CrashError
        if task == "raise":
            raise ValueError(task)
        return Reply((self.number, task))


def run(work, fates=(), workers=1, make=Worker):
    """What `work` gives, which is a coroutine function of a pool with that many workers."""

    async def inside():
        machines = Machines({}, fates)
        pool = Pool("p", machines.starter(make))
        for _ in range(workers):
            pool.add("node")
        try:
            return await work(pool, machines)
        finally:
            pool.close()
            assert all(process.ended for process in machines.processes)

    Worker.made = 0
    return asyncio.run(inside())


async def tasks(pool, *names):
    """Results of calls at the same time, errors among them."""
    found = await asyncio.gather(*(pool.call(name) for name in names), return_exceptions=True)
    return [item.result if isinstance(item, Reply) else item for item in found]


def test_calls_are_spread_over_the_workers():
    found = run(lambda pool, _: tasks(pool, *"abcdef"), workers=3)
    assert [task for _, task in found] == list("abcdef")
    assert {number for number, _ in found} == {1, 2, 3}


def test_of_those_that_wait_the_lowest_rank_is_first():
    async def work(pool, _):
        order = []

        async def call(rank):
            await pool.call("x", rank=(rank,))
            order.append(rank)

        await asyncio.gather(*(call(rank) for rank in (9, 8, 3, 7, 1)))
        return order

    assert run(work) == [1, 3, 7, 8, 9]


def test_only_the_oldest_call_of_a_dead_process_is_to_blame():
    async def work(pool, _):
        both = asyncio.ensure_future(tasks(pool, "crash", "innocent"))
        await asyncio.sleep(0.01)
        pool.add("node")
        return await both

    death, (_, task) = run(work)
    assert isinstance(death, DiedError)
    assert task == "innocent"


def test_a_call_that_ended_well_before_the_death_is_not_to_blame():
    async def work(pool, _):
        found = asyncio.ensure_future(tasks(pool, "good", "crash", "waiting"))
        await asyncio.sleep(0.01)
        pool.add("node")
        return await found

    good, death, waiting = run(work)
    assert isinstance(death, DiedError)
    assert (good[1], waiting[1]) == ("good", "waiting")


@pytest.mark.parametrize("kind", ["node", "memory"])
def test_calls_are_made_again_where_they_are_not_to_blame(kind):
    async def work(pool, _):
        found = asyncio.ensure_future(tasks(pool, "a", "b"))
        await asyncio.sleep(0.01)
        pool.add("node")
        return await found

    assert [task for _, task in run(work, [kind])] == ["a", "b"]


def test_a_call_whose_workers_always_lack_memory_is_to_blame_in_the_end():
    async def work(pool, _):
        return await tasks(pool, "a")

    (death,) = run(work, ["memory"] * 3, workers=3)
    assert isinstance(death, DiedError)


def test_what_a_call_raises_ends_no_worker():
    async def work(pool, _):
        return [*await tasks(pool, "raise"), *await tasks(pool, "a")], pool.size

    (error, (_, task)), size = run(work)
    assert isinstance(error, ValueError)
    assert (task, size) == ("a", 1)


def test_many_deaths_in_a_row_are_an_error_with_the_reason():
    async def work(pool, _):
        found = await tasks(pool, *["crash"] * DEATHS_IN_A_ROW)
        return [*found, *await tasks(pool, "one more")]

    *deaths, last = run(work, workers=DEATHS_IN_A_ROW)
    assert all(isinstance(death, DiedError) for death in deaths)
    with pytest.raises(WorkerError, match="8 workers of the pool p died in a row: told to die"):
        raise last


def test_deaths_with_results_between_them_are_none():
    async def work(pool, _):
        found = []
        for _ in range(DEATHS_IN_A_ROW + 1):
            pool.add("node")
            pool.add("node")
            found += [*await tasks(pool, "crash"), *await tasks(pool, "a")]
        return found

    assert [found[1] for found in run(work)[1::2]] == ["a"] * (DEATHS_IN_A_ROW + 1)


def lacking():
    raise ModelError("no model x")  # noqa: EM101


def test_an_error_of_a_start_reaches_who_waits():
    async def work(pool, _):
        return await tasks(pool, "a", "b")

    assert [str(error) for error in run(work, make=lacking)] == ["no model x"] * 2


def test_workers_that_die_while_they_start_are_an_error():
    async def work(pool, machines):
        waiting = asyncio.ensure_future(tasks(pool, "a"))
        for _ in range(3):
            machines.processes[-1].die("process")
            await asyncio.sleep(0.01)
            pool.add("node")
        return await waiting

    (error,) = run(work)
    assert isinstance(error, WorkerError)
    assert "pool p die while they start: told to die" in str(error)


def test_nodes_that_go_while_workers_start_are_none():
    async def work(pool, machines):
        waiting = asyncio.ensure_future(tasks(pool, "a"))
        for _ in range(5):
            machines.processes[-1].die("node")
            await asyncio.sleep(0.01)
            pool.add("node")
        return await waiting

    assert run(work)[0][1] == "a"


def test_the_time_of_workers_is_busy_or_waiting_or_blocked(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("curation.pipeline.runtime.pool.time.monotonic", lambda: now[0])

    class Timed(Worker):
        async def __call__(self, task):
            now[0] += 5.0
            return Reply(task, seconds=5.0)

    async def work(pool, _):
        await tasks(pool, "a")
        now[0] += 2.0
        pool.blocked_seconds += 0.5
        before = pool.times
        pool.close()
        now[0] += 100.0
        return before, pool.times

    before, after = run(work, make=Timed)
    assert before == after == PoolTimes(workers=1, busy=5.0, waiting=1.5, blocked=0.5)
