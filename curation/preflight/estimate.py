"""What a build would take, before it is started: workers, memory, models, and time from a short calibration.

    plan = make_plan(config, Machines(cpus=64, gpus=2, gpu_gib=24), calibrate=True)

Calibration builds a minute of real speech in this process and scales by the real-time factor of each stage.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from curation.core.counts import counted
from curation.core.declarations import Adapter
from curation.core.errors import ModelError
from curation.models.packaged_speech import TWO_CITIES, TWO_SPEAKERS
from curation.models.store import resolve
from curation.pipeline.assemble import Step, build_stages, steps, tokenizer_gpus, worker_needs
from curation.pipeline.config import BuildConfig
from curation.pipeline.gpu import on_gpu
from curation.pipeline.guard.watchdog import private_bytes
from curation.pipeline.runtime.layout import chosen_levels
from curation.pipeline.workers.operators import FUSED, Levels
from curation.pipeline.workers.sizing import Node, fitting_workers, none_fits
from curation.pipeline.workers.units import Sizes
from curation.preflight.doctor import GIB
from curation.preflight.pools import PoolPlan, audio_per_second, factors_of, plan_pools
from curation.preflight.requirements import Model, models_of

GPU_OVERHEAD, GPU_CONTEXT_GIB = 1.25, 1.0
"""Rule of thumb: activations beside the weights, and what each process takes for its context."""
MANY, MANY_SECONDS = 10_000_000, 100_000 * 3600.0
"""Recordings of a large corpus, and their audio."""
BUSY_SHARE = 0.75
"""Share of a core below which a calibration on one thread was slowed down by other processes."""


@dataclass(frozen=True, slots=True)
class Machines:
    """What the build would run on."""

    cpus: float
    gpus: float = 0.0
    gpu_gib: float = 24.0
    """Memory of each GPU."""
    memory_gib: float | None = None
    """Main memory; None: unknown, then it limits nothing."""

    @property
    def node(self) -> Node:
        """All of it as one machine."""
        return Node(self.cpus, self.gpus, math.inf if self.memory_gib is None else self.memory_gib)


@dataclass(slots=True)
class ModelSize:
    """Weights of one model."""

    reference: str
    gib: float | None
    """None: unknown."""
    here: bool
    """Measured on this disk; otherwise estimated from the number of parameters."""


@dataclass(slots=True)
class StagePlan:
    """One stage of the build."""

    name: str
    device: str
    adapters: list[str] = field(default_factory=list)
    """Kinds of the adapters that it uses."""
    models: list[ModelSize] = field(default_factory=list)
    factor: float | None = None
    """Seconds of one worker for a second of audio; None where nothing was calibrated."""


@dataclass(slots=True)
class BuildPlan:
    """All of it."""

    machines: Machines
    stages: list[StagePlan]
    workers: int
    worker_cpus: float
    worker_gpus: float
    limit_gib: float
    """Memory limit of all workers together."""
    declared_gib: float
    """Memory of one worker, by what its stages declare."""
    staging_files: int
    """That 10 million recordings with 100,000 hours would make, at most."""
    pools: list[PoolPlan] = field(default_factory=list)
    """Of workers that run a part of the stages each; empty: every worker runs all."""
    slowest_pool: str = ""
    worker_gib: float | None = None
    """Measured memory of one worker."""
    worker_gpu_gib: float = 0.0
    """Weights of one worker on its GPU, with the rule of thumb."""
    calibration: str = ""
    """What the calibration used, or why there is none."""
    hours_per_1000: float | None = None
    """Wall hours for 1,000 hours of speech."""
    problems: list[str] = field(default_factory=list)
    """What does not fit."""
    notes: list[str] = field(default_factory=list)
    """What the figures leave out."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def make_plan(
    config: BuildConfig, machines: Machines, *, calibrate: bool = True, samples: Sequence[str] = ()
) -> BuildPlan:
    """The plan of a configuration; what does not fit is in its `problems`. `samples`: recordings to calibrate on."""
    needs = worker_needs(config)
    needs = replace(needs, gpus=max(needs.gpus, tokenizer_gpus(config)))
    workers = fitting_workers(needs, [machines.node], config.engine)
    plan = BuildPlan(
        machines=machines,
        stages=list(_stages(config)),
        workers=workers.count,
        worker_cpus=workers.cpus,
        worker_gpus=workers.needs.gpus,
        limit_gib=workers.count * config.engine.max_worker_gib,
        declared_gib=needs.memory_gib or 0.0,
        staging_files=Sizes.of(config, MANY).most_staging_files(MANY, MANY_SECONDS, config.decode.max_span_seconds),
    )
    levels = chosen_levels(config, build_stages(config), {"": machines.node})
    if levels != FUSED:
        _set_pools(config, levels, plan, {})
    elif not workers.count:
        plan.problems.append(f"{none_fits(workers, [machines.node])}: change these, --cpus or --gpus")
    unknown = [item.reference for stage in plan.stages for item in stage.models if item.gib is None]
    if unknown:
        plan.notes.append(f"size unknown, not counted: {', '.join(unknown)}")
    plan.problems += _check(config, plan) if levels == FUSED else _check_pools(config, levels, plan)
    if not calibrate:
        plan.calibration = "not calibrated"
        return plan
    try:
        _calibrate(config, levels, plan, list(samples) or packaged_speech())
    except ModelError as error:
        plan.calibration = f"not calibrated: {error}"
    return plan


def packaged_speech() -> list[str]:
    """About a minute of real speech that installed packages carry."""
    found = []
    for reference in (TWO_CITIES, TWO_SPEAKERS):
        with suppress(ModelError):  # the package is not installed
            found.append(str(resolve(reference)))
    return found


def _stages(config: BuildConfig) -> Iterator[StagePlan]:
    for step in steps(config):
        device = "GPU" if any(use.resources.gpus for use in step.uses) else "CPU"
        kinds = dict.fromkeys(use.declared.kind for use in step.uses if issubclass(use.declared, Adapter))
        yield StagePlan(step.name, device, list(kinds), [model_size(model) for model in models_of(step.uses)])


def model_size(model: Model) -> ModelSize:
    """Size of a model on this disk, else from its declared facts."""
    try:
        path = resolve(model.reference, fetch=False)
    except ModelError:
        return ModelSize(model.reference, model.facts.gib if model.facts else None, here=False)
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return ModelSize(model.reference, sum(item.stat().st_size for item in files) / GIB, here=True)


def _check(config: BuildConfig, plan: BuildPlan) -> Iterator[str]:
    wanting = on_gpu(config)
    if wanting and plan.worker_gpus == 0 and not config.engine.gpu_fallback:
        yield f"engine.worker_gpus is 0, but these need a GPU: {', '.join(wanting)}: Ray would give them none"
    if not plan.worker_gpus:
        return
    # Label and publish run one after the other: the larger of the two has the GPU to itself.
    sizes = {model.reference: model.gib or 0.0 for stage in plan.stages for model in stage.models}
    by_step = {step.name: _gib_on_gpu(step, sizes) for step in steps(config)}
    publish = by_step.pop("tokenize", 0.0)
    weights = max(sum(by_step.values()), publish)
    plan.worker_gpu_gib = GPU_OVERHEAD * weights + GPU_CONTEXT_GIB if weights else 0.0
    sharing = max(1, int(1 / plan.worker_gpus + 1e-6))
    needed = sharing * plan.worker_gpu_gib / max(1.0, plan.worker_gpus)
    if needed > plan.machines.gpu_gib:
        yield (
            f"{sharing} worker(s) on a GPU need about {needed:.1f} GiB, it has {plan.machines.gpu_gib:g}: raise "
            f"engine.worker_gpus, or put systems on the CPU (device: cpu)"
        )


def _gib_on_gpu(step: Step, sizes: Mapping[str, float]) -> float:
    """Weights of what a step has on the GPU."""
    uses = tuple(use for use in step.uses if use.resources.gpus)
    return sum(sizes[model.reference] for model in models_of(uses))


def _set_pools(config: BuildConfig, levels: Levels, plan: BuildPlan, factors: Mapping[str, float]) -> None:
    """Set the pools; what does not fit is a problem."""
    plan.pools, problem, plan.slowest_pool = plan_pools(config, levels, plan.machines.node, factors)
    plan.problems += [problem] if problem and not factors else []
    plan.workers = sum(pool.workers for pool in plan.pools)
    plan.limit_gib = plan.workers * config.engine.max_worker_gib


def _check_pools(config: BuildConfig, levels: Levels, plan: BuildPlan) -> Iterator[str]:
    """Whether the models of each pool fit a GPU as often as its workers share one."""
    sizes = {model.reference: model.gib or 0.0 for stage in plan.stages for model in stage.models}
    pools = {pool.name: pool for pool in plan.pools}
    for operator in (operator for level in levels for operator in level):
        pool, names = pools[operator.name], operator.stages[operator.joins :]
        uses = [use for step in steps(config) if step.name in names for use in step.uses if use.resources.gpus]
        if operator.branch:
            uses = [use for use in uses if use.name == f"{names[0]}.{operator.branch}"]
        weights = sum(sizes[model.reference] for model in models_of(tuple(uses)))
        sharing = max(1, int(1 / pool.gpus + 1e-6)) if pool.gpus else 0
        needed = sharing * (GPU_OVERHEAD * weights + GPU_CONTEXT_GIB)
        if needed > plan.machines.gpu_gib * max(1.0, pool.gpus):
            yield (
                f"{counted(sharing, 'worker')} of the pool {pool.name} on a GPU need about {needed:.1f} GiB, it has "
                f"{plan.machines.gpu_gib:g}: raise gpus of engine.pool_settings"
            )


def _calibrate(config: BuildConfig, levels: Levels, plan: BuildPlan, samples: Sequence[str]) -> None:
    """Build `samples` in this process; sets the factors, the memory and the estimate."""
    from curation.pipeline.run import build

    engine = config.engine.model_copy(update={"runtime": "in-process"})
    start, busy = time.monotonic(), time.process_time()
    with TemporaryDirectory(prefix="curation-plan-") as folder:
        summary = build(config.model_copy(update={"engine": engine}), samples, f"{folder}/out")
    wall, busy = time.monotonic() - start, time.process_time() - busy
    encoding = sum(summary.timing.runs[-1].publish_model_seconds.values())
    spent = summary.timing.label.stages | ({"tokenize": encoding} if encoding else {})
    plan.calibration = f"{summary.seconds:.0f} s of speech in {wall:.0f} s, models loaded included"
    share = 1.0 if on_gpu(config) else busy / wall
    if share < BUSY_SHARE:
        plan.notes.append(
            f"this machine is busy, the calibration got {share:.0%} of a core: the times are scaled by that"
        )
    for stage in plan.stages:
        factor = spent.get(stage.name, 0.0) / summary.seconds
        stage.factor = factor * share if share < BUSY_SHARE else factor
    plan.worker_gib = private_bytes(psutil.Process()) / GIB
    total = sum(stage.factor or 0.0 for stage in plan.stages)
    if levels != FUSED:
        seconds = factors_of(levels, spent, summary.timing.label.models)
        scale = (share if share < BUSY_SHARE else 1.0) / summary.seconds
        _set_pools(config, levels, plan, {name: value * scale for name, value in seconds.items()})
        plan.hours_per_1000 = 1000 / audio_per_second(plan.pools)
        plan.notes.append("the pools are sized for the speed here; a build measures its own and sizes them by that")
    elif plan.workers:
        plan.hours_per_1000 = 1000 * total / min(plan.workers, plan.machines.cpus)
    if plan.worker_gib > config.engine.max_worker_gib:
        plan.problems.append(
            f"a worker took {plan.worker_gib:.1f} GiB, over engine.max_worker_gib = {config.engine.max_worker_gib:g}"
        )


def needed_gib(plan: BuildPlan) -> float:
    """Memory of all workers: measured, else as declared; of pools always, since what is measured has all models."""
    if plan.pools:
        return sum(pool.workers * pool.memory_gib for pool in plan.pools)
    return plan.workers * (plan.worker_gib or plan.declared_gib)
