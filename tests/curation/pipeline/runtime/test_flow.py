"""The label pass over pools: the rows are those of one process, whatever dies, is lost, or goes another way."""

import asyncio
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.manifests.plan import Unit
from curation.manifests.records import Source
from curation.pipeline.job import Job
from curation.pipeline.label import BatchLabeller, UnitDecoder
from curation.pipeline.runtime.crew import Crew
from curation.pipeline.runtime.flow import Flow, Window
from curation.pipeline.runtime.local import LocalRuntime
from curation.pipeline.runtime.pool import Pool
from curation.pipeline.runtime.work import Decoding, Labelling, makers
from curation.pipeline.workers.operators import DECODE, FUSED, WHOLE, Operator
from tests.support.builds import table, toy_config, write_recordings
from tests.support.faults.machines import Machines
from tests.support.toy import Choir, choir_stages


def a_job(out) -> Job:
    return Job(toy_config(), str(out), "this-run", choir_stages)


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """Eight recordings of 2 to 13 s, in units of two; the long ones are cut into spans, and some stages raise."""
    folder = tmp_path_factory.mktemp("in")
    write_recordings(folder, ["alpha", "beta no-high", "gamma", "delta no-mid no-low", "eta raise"])
    write_recordings(folder, ["long", "longer", "longest"], seconds=9)
    sources = [Source(path.stem, str(path)) for path in sorted(folder.iterdir())]
    return [Unit(number, sources[number * 2 : number * 2 + 2], batch_seconds=6) for number in range(4)]


class Expected:
    """Results and rows of one process (a class of its own, since Hypothesis prints arguments)."""

    def __init__(self, job, units):
        self.staging = Path(job.root) / "staging"
        self.done = list(LocalRuntime().label(job, units, {}))
        self.names = sorted(item.name for item in self.done)
        self.rows = table(Path(job.root), "staging")


@pytest.fixture(scope="module")
def expected(units, tmp_path_factory):
    return Expected(a_job(tmp_path_factory.mktemp("expected")), units)


def label(job, units, done=None, *, levels=FUSED, nodes=2, workers=2, fates=(), window=1e9, alone=False):
    """The results, and the machines."""
    parts = makers(job, levels)
    machines = Machines({name: {f"n{node}": workers for node in range(nodes)} for name in parts}, fates)
    pools = {
        name: Pool(name, machines.starter(make), 1 if alone or name == DECODE else 2, eager=name != DECODE)
        for name, make in parts.items()
    }
    crew = Crew(pools, machines, job.config.engine, job.out)
    workers_now = Window(window, lambda: nodes * workers)
    flow = Flow(crew, levels, workers_now, Storage(job.root), pools[WHOLE.name] if alone else None)
    return list(crew.results(partial(flow.run, units, done or {}))), machines


def test_the_rows_are_those_of_one_process(units, expected, tmp_path):
    done, machines = label(a_job(tmp_path), units)
    assert sorted(done, key=lambda item: item.name) == sorted(expected.done, key=lambda item: item.name)
    assert table(tmp_path, "staging").equals(expected.rows)
    assert all(process.ended for process in machines.processes)


def test_what_is_done_is_not_done_again(units, expected, tmp_path):
    every = expected.names
    skipped = {name for name in every if name.unit == 1 or name.batch == 1}
    done = {unit: {name.batch for name in skipped if name.unit == unit} for unit in range(len(units))}
    (tmp_path / "staging").mkdir()
    for name in skipped:
        shutil.copy(expected.staging / f"{name}.parquet", tmp_path / name.file)
    found, _ = label(a_job(tmp_path), units, done)
    assert sorted(item.name for item in found) == sorted(set(every) - skipped)


def decoders(machines):
    """Processes that decoded for others."""
    return [process for process in machines.processes if isinstance(process.worker, Decoding)]


def test_workers_with_all_stages_decode_their_units_themselves(units, expected, tmp_path):
    done, machines = label(a_job(tmp_path), units, nodes=1, workers=1, alone=True)
    assert sorted(done, key=lambda item: item.name) == sorted(expected.done, key=lambda item: item.name)
    assert not decoders(machines)


def test_all_workers_label_a_unit_where_there_is_no_other(units, expected, tmp_path):
    done, machines = label(a_job(tmp_path), units[-1:], alone=True)
    assert len(done) > 2
    assert len(decoders(machines)) == 1
    ours = [source.id for source in units[-1].sources]
    wanted = expected.rows.filter(pc.is_in(pc.struct_field(expected.rows["source"], "id"), pa.array(ours)))
    assert table(tmp_path, "staging").equals(wanted)


def test_a_unit_is_shared_as_soon_as_another_worker_has_nothing_to_do(units, expected, tmp_path):
    done, machines = label(a_job(tmp_path), [units[0], units[-1]], nodes=1, alone=True)
    assert len(decoders(machines)) == 1
    ours = {units[0].number, units[-1].number}
    assert sorted(item.name for item in done) == [name for name in expected.names if name.unit in ours]


fates = st.lists(st.sampled_from(["", "", "node", "lost", "memory"]), max_size=12)


@settings(max_examples=settings.default.max_examples // 4, deadline=None)
@given(fates, st.integers(1, 3), st.integers(1, 2), st.sampled_from([1, 10**6, 10**9]), st.booleans())
def test_each_batch_comes_once_whatever_is_lost(units, expected, lost, nodes, workers, window, alone):
    machines = {"nodes": nodes, "workers": workers}
    with tempfile.TemporaryDirectory() as folder:
        done, _ = label(a_job(folder), units, **machines, fates=lost, window=window, alone=alone)
        assert sorted(item.name for item in done) == expected.names
        assert table(Path(folder), "staging").equals(expected.rows)


@st.composite
def groupings(draw):
    """The stages cut anywhere, the branches together or apart."""
    parts, joins, levels = [[]], False, []
    for name in ("loudness", "cut", "choir", "misbehave", "hear"):
        apart = name == "choir" and draw(st.booleans())
        if parts[-1] and (apart or draw(st.booleans())):
            levels.append([Operator("+".join(parts[-1]), tuple(parts[-1]), joins=joins)])
            parts, joins = [[]], False
        if apart:
            lead, *others = [Operator(branch, ("choir",), branch=branch) for branch in Choir.branches]
            levels += [[replace(lead, leads=True)], others]
            joins = True
        parts[-1].append(name)
    return [*levels, [Operator("last", tuple(parts[-1]), joins=joins, commits=True)]]


@settings(max_examples=settings.default.max_examples // 4, deadline=None)
@given(groupings(), st.lists(st.sampled_from(["", "node", "lost"]), max_size=9))
def test_rows_do_not_depend_on_the_grouping(units, expected, levels, lost):
    with tempfile.TemporaryDirectory() as folder:
        done, _ = label(a_job(folder), units, levels=levels, fates=lost)
        assert sorted(item.name for item in done) == expected.names
        assert table(Path(folder), "staging").equals(expected.rows)


def test_what_a_branch_breaks_on_fails_with_its_reason(expected):
    failed = {row["source"]["path"].rsplit("/", 1)[1]: row["verdict"] for row in expected.rows.to_pylist()}
    reasons = {name: (verdict["reason"], verdict["detail"]) for name, verdict in failed.items() if verdict}
    assert reasons == {
        "beta no-high.wav": ("choir", "RuntimeError: high lost its voice"),
        "delta no-mid no-low.wav": ("choir", "RuntimeError: mid lost its voice"),
        "eta raise.wav": ("misbehave", "RuntimeError: asked to"),
    }


@pytest.mark.parametrize(("place", "alone"), [(0, False), (1, False), (4, False), (1, True)])
def test_one_death_of_a_process_costs_no_row(units, expected, tmp_path, place, alone):
    """The task is tried again with care, one recording at a time."""
    label(a_job(tmp_path), units, fates=[""] * place + ["process"], alone=alone)
    assert table(tmp_path, "staging").equals(expected.rows)


def test_where_a_worker_died_that_decoded_too_the_next_one_takes_care(units, tmp_path, monkeypatch):
    """Or else a recording that kills its workers, or hangs, would do it once more."""
    careful = {unit.number: set() for unit in units}
    call, batches = BatchLabeller.__call__, UnitDecoder.batches

    def labelled(self, batch, *heard, attempt=None):
        careful[batch.name.unit].add(attempt.careful)
        return call(self, batch, *heard, attempt=attempt)

    def decoded(self, unit, done, attempt):
        careful[unit.number].add(attempt.careful)
        return batches(self, unit, done, attempt)

    monkeypatch.setattr(BatchLabeller, "__call__", labelled)
    monkeypatch.setattr(UnitDecoder, "batches", decoded)
    label(a_job(tmp_path), units, nodes=1, workers=1, fates=["process"], alone=True)
    assert careful == {0: {True}, 1: {False}, 2: {False}, 3: {False}}


def test_no_more_is_under_way_than_the_window_holds(units, tmp_path):
    """With room for one batch, it is committed before the next is decoded."""
    order = []

    class Watched(Decoding):
        def __call__(self, attempt, opening, unit, done):
            order.append(len(list((tmp_path / "staging").glob("*"))) if (tmp_path / "staging").exists() else 0)
            return super().__call__(attempt, opening, unit, done)

    job = a_job(tmp_path)
    machines = Machines({name: {"n": 2} for name in (DECODE, WHOLE.name)})
    pools = {
        DECODE: Pool(DECODE, machines.starter(partial(Watched, job)), at_once=1),
        WHOLE.name: Pool(WHOLE.name, machines.starter(partial(Labelling, job, WHOLE))),
    }
    crew = Crew(pools, machines, job.config.engine, job.out)
    flow = Flow(crew, FUSED, Window(1, lambda: 4), Storage(job.root))
    done = list(crew.results(partial(flow.run, units, {})))
    assert order == list(range(len(done)))


def test_others_are_let_in_once_the_first_batch_has_shown_its_size():
    async def let_in():
        window = Window(100, lambda: 1)
        await window.enter()
        others = [asyncio.create_task(window.enter()) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert window.waiting == 2
        await window.take(40)
        await asyncio.sleep(0.01)
        return [other.done() for other in others]

    assert asyncio.run(let_in()) == [True, True]
