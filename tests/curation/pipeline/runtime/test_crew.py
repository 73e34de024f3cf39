"""A step over its pools: they grow where calls wait, errors of any part end it, and so does standing still."""

import asyncio

import pytest

from curation.core.errors import ConfigError, WorkerError
from curation.core.storage import Storage
from curation.pipeline.config import EngineConfig
from curation.pipeline.runtime.crew import Crew
from curation.pipeline.runtime.pool import Pool
from curation.pipeline.runtime.work import Reply
from tests.support.faults.machines import CrashError, Machines


class Worker:
    made: list[asyncio.Event]
    """One for each worker; all are set when there are three."""

    def __init__(self):
        self.made.append(asyncio.Event())
        for event in self.made if len(self.made) == 3 else []:
            event.set()
        self.three = self.made[-1]

    async def __call__(self, attempt, task):
        if task == "crash" or (task == "crash once" and not attempt.careful):
            raise CrashError
        if task == "hang":
            await asyncio.sleep(3600)
        if task == "raise":
            raise ValueError(task)
        if task == "three together":
            await self.three.wait()
        return Reply(task)


def run(folder, tasks, most=2, **settings):
    """Results of the tasks, and how many workers there were."""
    Worker.made = []
    machines = Machines({"p": {"n": most}})
    pool = Pool("p", machines.starter(Worker))
    crew = Crew({"p": pool}, machines, EngineConfig(**settings), Storage(str(folder)))

    async def do(number):
        reply = await crew.attempted(pool, str(number), tasks[number], rank=(number,))
        crew.queue.put_nowait(reply.result)

    async def work():
        for number in range(len(tasks)):
            crew.begin(do(number))

    return list(crew.results(work)), len(machines.processes)


def test_all_results_come_and_workers_are_added_where_calls_wait(tmp_path):
    assert run(tmp_path, [], most=5)[0] == []
    assert run(tmp_path, ["a"], most=5) == (["a"], 1)
    assert run(tmp_path, ["three together"] * 9, most=3) == (["three together"] * 9, 3)


def test_how_much_is_begun_follows_the_machines(tmp_path):
    """They are known a little later than the work begins, and may become more."""
    Worker.made = []
    asked = []

    class Late(Machines):
        def wanted(self):
            asked.append(1)
            return super().wanted()

    machines = Late({"p": {"n": 3}})
    pool = Pool("p", machines.starter(Worker))
    crew = Crew({"p": pool}, machines, EngineConfig(stall_seconds=20), Storage(str(tmp_path)))

    async def do(number):
        crew.queue.put_nowait((await crew.attempted(pool, str(number), "three together")).result)

    async def work():
        for number in range(6):
            await crew.room(lambda: 3 if asked else 0)
            crew.begin(do(number))

    assert list(crew.results(work)) == ["three together"] * 6


def test_a_worker_comes_for_each_call_before_one_has_two(tmp_path):
    assert run(tmp_path, ["three together"] * 3, most=3) == (["three together"] * 3, 3)


def test_a_task_that_kills_its_worker_once_is_done_by_the_next(tmp_path):
    found, workers = run(tmp_path, ["a", "crash once", "b"], most=1)
    assert (sorted(found), workers) == (["a", "b", "crash once"], 2)


def test_a_task_that_kills_every_worker_ends_the_step(tmp_path):
    with pytest.raises(WorkerError, match="3 workers of the pool p died on p-1: told to die"):
        run(tmp_path, ["a", "crash", *"bcdefgh"])


def test_what_a_task_raises_ends_the_step(tmp_path):
    with pytest.raises(ValueError, match="raise"):
        run(tmp_path, ["a", "raise", "hang"])


def test_work_that_stands_still_ends_with_what_waits_for_what(tmp_path):
    message = r"engine.stall_seconds = 0.4: p: 1 workers ready, 0 starting, 2 calls in progress, 1 waiting"
    with pytest.raises(WorkerError, match=message):
        run(tmp_path, ["hang"] * 3, most=1, stall_seconds=0.4)


def test_no_room_is_an_error_of_the_layout(tmp_path):
    class Full(Machines):
        def wanted(self):
            raise ConfigError("no worker fits")  # noqa: EM101

    machines = Full({})
    crew = Crew({"p": Pool("p", machines.starter(Worker))}, machines, EngineConfig(), Storage(str(tmp_path)))

    async def work():
        await crew.pools["p"].call("a")

    with pytest.raises(ConfigError, match="no worker fits"):
        list(crew.results(work))


def test_whoever_stops_listening_leaves_no_worker_behind(tmp_path):
    Worker.made = []
    machines = Machines({"p": {"n": 2}})
    pool = Pool("p", machines.starter(Worker))
    crew = Crew({"p": pool}, machines, EngineConfig(), Storage(str(tmp_path)))

    async def work():
        crew.queue.put_nowait("first")
        await pool.call(None, "hang")

    results = crew.results(work)
    assert next(results) == "first"
    results.close()
    assert all(process.ended for process in machines.processes)
