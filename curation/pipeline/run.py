"""A build from start to end: plan, label, publish, account.

    summary = build(config, ["recordings/"], "corpus")

Run again after any interruption, it goes on where it stopped; run again with other thresholds, it only publishes.
"""

import difflib
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import yaml

from curation import __version__
from curation.core.errors import ConfigError
from curation.core.settings import to_yaml
from curation.core.storage import Storage
from curation.manifests.inputs import list_inputs
from curation.manifests.plan import Plan, extend_plan, read_plan
from curation.manifests.shards import INDEX
from curation.manifests.staging import committed
from curation.manifests.summary import FILE as SUMMARY_FILE
from curation.manifests.summary import Summary, failed_recordings, summarize
from curation.pipeline.assemble import build_stages
from curation.pipeline.config import BuildConfig, label_settings
from curation.pipeline.guard.lock import Lock, held
from curation.pipeline.guard.quarantine import FOLDER as ATTEMPTS
from curation.pipeline.journal import RunLog, read_runs
from curation.pipeline.label import Job, Report
from curation.pipeline.publish import publish
from curation.pipeline.runtime.local import InProcess
from curation.stages.base import Stage

log = logging.getLogger(__name__)

CONFIG_FILE = "build.yaml"
LABEL_FILE = "plan/settings.json"

MakeStages = Callable[[BuildConfig], list[Stage]]
OnStep = Callable[[str, Report, int], None]
"""Called as (step, report of a finished task, tasks or units that this run has to do)."""


@dataclass(slots=True)
class BuildState:
    """How far a build is, from what is on disk."""

    units: int
    units_done: int
    batches_done: int
    phase: str
    """The pass that the latest run is in, or was in when it ended; `done`; or empty where nothing was started."""
    idle_seconds: float
    """Since the latest run's last sign of life."""
    published: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def build(
    config: BuildConfig,
    inputs: Sequence[str],
    output: str,
    *,
    retry_failed: bool = False,
    on_step: OnStep = lambda *_: None,
    make_stages: MakeStages = build_stages,
    wait_seconds: float = 0.0,
    force_unlock: bool = False,
) -> Summary:
    """Label what is not labelled yet, publish, and account for it. Raises ConfigError before any work, and LockError
    where another build holds the output for more than `wait_seconds` and is not to be pushed aside (`force_unlock`).
    """
    job = Job(config, output, run=uuid.uuid4().hex, make_stages=make_stages)
    with held(job.out, job.run, wait_seconds=wait_seconds, force=force_unlock) as lock:
        plan = _plan(job.out, config, inputs, retry_failed=retry_failed)
        return _run(job, plan, partial(_checked, lock, on_step, set()))


def _checked(lock: Lock, on_step: OnStep, warned: set[str], step: str, report: Report, total: int) -> None:
    lock.check()
    if report.warning and report.warning not in warned:
        warned.add(report.warning)
        log.warning("%s: %s", step, report.warning)
    on_step(step, report, total)


def _run(job: Job, plan: Plan, on_step: OnStep) -> Summary:
    out = job.out
    _clear_attempts(out)
    _tell_changes(out, job.config)
    out.write_bytes(CONFIG_FILE, to_yaml(job.config).encode())
    with _runtime(job.config) as runtime:
        run = RunLog(out, job.run, runtime.num_cpus)
        _label(job, runtime, plan, run, on_step)
        run.enter("publish")
        published = publish(job, runtime, plan, partial(_on_publish, run, on_step))
        run.enter("")
    timing = {"label": published.timing, "runs": read_runs(out)}
    summary = summarize(out, timing)
    out.write_json(SUMMARY_FILE, summary.to_json())
    return summary


def _tell_changes(out: Storage, config: BuildConfig) -> None:
    """Settings are not carried over: a threshold that an earlier run was given and this one is not is the default."""
    if not out.exists(CONFIG_FILE):
        return
    old, new = _flat(yaml.safe_load(out.read_bytes(CONFIG_FILE))), _flat(config.model_dump(mode="json"))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if names:
        changes = "; ".join(f"{name}: {old.get(name)} -> {new.get(name)}" for name in names)
        log.warning("settings differ from those of the last run: %s", changes)


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted names, as `--set` takes them."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _label(job: Job, runtime: Any, plan: Plan, run: RunLog, on_step: OnStep) -> None:
    waiting, done = unfinished_units(job.out, plan)
    if not waiting:
        return
    run.enter("label")
    on_step("label", Report("start"), len(waiting))
    for report in runtime.label(job, plan.units(waiting), done):
        on_step("label", report, len(waiting))
        run.beat()
    still, _ = unfinished_units(job.out, plan)
    if still:
        msg = f"{len(still)} units were not committed, the first is {still[0]}: run the same command again"
        raise RuntimeError(msg)


def _on_publish(run: RunLog, on_step: OnStep, step: str, report: Report, total: int) -> None:
    run.add_models(report.timing.get("models", {}))
    run.beat()
    on_step(step, report, total)


def unfinished_units(out: Storage, plan: Plan) -> tuple[list[int], dict[int, set[int]]]:
    """Units that still have batches to do, and for each unit the batches that are committed."""
    done: dict[int, set[int]] = {}
    size: dict[int, int] = {}
    for name in committed(out):
        done.setdefault(name.unit, set()).add(name.batch)
        if name.last:
            size[name.unit] = name.batch + 1
    waiting = [unit for unit in range(plan.num_units) if unit not in size or len(done[unit]) < size[unit]]
    return waiting, {unit: done[unit] for unit in waiting if unit in done}


def progress(out: Storage) -> BuildState:
    """State of a build, running or stopped."""
    plan = read_plan(out)
    waiting, _ = unfinished_units(out, plan)
    runs = read_runs(out)
    return BuildState(
        units=plan.num_units,
        units_done=plan.num_units - len(waiting),
        batches_done=len(committed(out)),
        phase=(runs[-1]["pass"] or "done") if runs else "",
        idle_seconds=time.time() - runs[-1]["updated"] if runs else 0.0,
        published=out.exists(INDEX),
    )


@contextmanager
def _runtime(config: BuildConfig) -> Iterator[Any]:
    if config.engine.runtime == "in-process":
        yield InProcess()
        return
    from curation.pipeline.runtime.ray import RayRuntime  # Ray takes seconds to import

    with RayRuntime(config.engine) as runtime:
        yield runtime


def _plan(out: Storage, config: BuildConfig, inputs: Sequence[str], *, retry_failed: bool) -> Plan:
    plan = read_plan(out)
    _check_settings(out, config, is_new=not plan.generations)
    known = {source.id: source for source in plan.sources()}
    todo = [(item.source, item.size) for item in list_inputs(inputs)] if inputs else []
    for source, _ in todo:
        if source.id in known and known[source.id].path != source.path:
            msg = f"{source.path} has the id of {known[source.id].path}, which is in this build already ({source.id})"
            raise ConfigError(msg)
    todo = [(source, size) for source, size in todo if source.id not in known]
    if retry_failed:
        todo += [(known[identifier], 0) for identifier in failed_recordings(out)]
    if not plan.generations and not todo:
        msg = f"{out.root} holds no build yet: give inputs"
        raise ConfigError(msg)
    engine = config.engine
    return extend_plan(out, plan, todo, unit_files=engine.unit_files, unit_bytes=engine.unit_mib * 2**20)


def _check_settings(out: Storage, config: BuildConfig, *, is_new: bool) -> None:
    """A build that was labelled with other settings cannot go on: its rows would not belong together."""
    settings = {"software": __version__, **label_settings(config)}
    if is_new or not out.exists(LABEL_FILE):
        out.write_json(LABEL_FILE, settings)
        return
    old = out.read_json(LABEL_FILE)
    if old == json.loads(json.dumps(settings)):
        return
    lines = difflib.unified_diff(
        yaml.safe_dump(old).splitlines(), yaml.safe_dump(settings).splitlines(), n=0, lineterm=""
    )
    changed = "\n  ".join(line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"})
    msg = (
        f"{out.root} was labelled with other settings:\n  {changed}\n"
        f"Use the old ones, or another output folder; thresholds, tokenize, publish and engine limits may change."
    )
    raise ConfigError(msg)


def _clear_attempts(out: Storage) -> None:
    for name in out.names(ATTEMPTS):
        out.remove(f"{ATTEMPTS}/{name}")
