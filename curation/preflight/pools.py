"""The pools of a build whose operators have workers of their own: how many workers each has, which is the slowest."""

from collections.abc import Mapping
from dataclasses import dataclass

from curation.pipeline.config import BuildConfig
from curation.pipeline.runtime.layout import no_room, pool_needs
from curation.pipeline.workers.operators import DECODE, Levels, Operator
from curation.pipeline.workers.sizing import Node
from curation.pipeline.workers.spread import rate, spread


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """One pool of workers."""

    name: str
    stages: list[str]
    workers: int
    cpus: float
    """That each reserves."""
    gpus: float
    memory_gib: float
    factor: float | None
    """Seconds of one worker for a second of audio; None where nothing was calibrated."""


def plan_pools(
    config: BuildConfig, levels: Levels, node: Node, factors: Mapping[str, float]
) -> tuple[list[PoolPlan], str, str]:
    """The pools on machines taken as one, what does not fit, and the name of the slowest where `factors` tell."""
    nodes = {"all machines": node}
    needs = pool_needs(config.engine, levels, nodes)
    places, lacking = spread(needs, factors, nodes, {})
    stages = {DECODE: [DECODE]} | {
        operator.name: [operator.branch] if operator.branch else list(operator.stages)
        for level in levels
        for operator in level
    }
    pools = [
        PoolPlan(
            name,
            stages[name],
            sum(places[name].values()),
            item.each.cpus,
            item.each.gpus,
            item.each.memory_gib or 0.0,
            factors.get(name),
        )
        for name, item in needs.items()
    ]
    known = bool(factors) and not lacking
    slowest = min(needs, key=lambda name: rate(name, factors, places)) if known else ""
    return pools, no_room(lacking, needs, nodes), slowest


def factors_of(levels: Levels, stages: Mapping[str, float], models: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each pool, from those of the stages and of the models in them (`stage.model`)."""
    found = {DECODE: stages.get(DECODE, 0.0)}
    for operator in (operator for level in levels for operator in level):
        found[operator.name] = _seconds(operator, stages, models)
    return found


def _seconds(operator: Operator, stages: Mapping[str, float], models: Mapping[str, float]) -> float:
    if operator.branch:
        return models.get(f"{operator.stages[0]}.{operator.branch}", 0.0)
    return sum(stages.get(name, 0.0) for name in operator.stages[operator.joins :])


def audio_per_second(pools: list[PoolPlan]) -> float:
    """Seconds of audio that the slowest pool lets through in a second."""
    return min(pool.workers / max(pool.factor or 0.0, 1e-9) for pool in pools)
