"""Which workers a step has on which machine: one kind beside decoding, or those of several pools."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from curation.core.declarations import Resources
from curation.core.errors import ConfigError
from curation.pipeline.assemble import USUAL_SECONDS
from curation.pipeline.config import BuildConfig, EngineConfig
from curation.pipeline.runtime.pool import Pool
from curation.pipeline.workers.operators import DECODE, FUSED, WHOLE, Levels, operators
from curation.pipeline.workers.sizing import DECODERS_GIB, Node, Share, Workers, decoding, fitting_workers, none_fits
from curation.pipeline.workers.spread import Places, PoolNeeds, reserved, spread
from curation.stages.base import Stage

MEASURED_CALLS = 3
"""Calls after which the time that a pool takes for a batch is known."""
SCALE = "On an autoscaling cluster, set engine.workers to the number of workers to scale to"


def chosen_levels(
    config: BuildConfig, stages: Sequence[Stage], nodes: Mapping[str, Node], batch_seconds: float = USUAL_SECONDS
) -> Levels:
    """The operators of a build on these machines, by `engine.pools`. Raises ConfigError for settings of no pool."""
    if config.engine.pools == "fused":
        return FUSED
    levels = operators(config, stages, batch_seconds)
    needs = pool_needs(config.engine, levels, nodes)
    if config.engine.pools == "separate":
        return levels
    if (config.engine.worker_cpus, config.engine.worker_gpus) != (None, None):
        return FUSED  # what those workers reserve has been thought about
    on_gpus = any(item.each.gpus for item in needs.values()) and any(node.gpus for node in nodes.values())
    return levels if on_gpus and not spread(needs, {}, nodes, {})[1] else FUSED


class Deadline:
    """How long to wait for machines that have room."""

    def __init__(self, config: EngineConfig, *, may_grow: bool) -> None:
        """`may_grow`: whether more machines may come."""
        self._seconds = config.start_seconds if may_grow else 0.0
        self._since = time.monotonic()

    def check(self, problem: str) -> None:
        """Raises ConfigError with what is lacking, where that is so for too long; nothing is lacking: empty."""
        if not problem:
            self._since = time.monotonic()
        elif time.monotonic() - self._since >= self._seconds:
            raise ConfigError(problem)


class Layout:
    """Workers of one kind; those of the label pass have decoders beside them."""

    def __init__(
        self,
        config: EngineConfig,
        needs: Resources,
        name: str,
        nodes: Callable[[], Mapping[str, Node]],
        *,
        may_grow: bool,
    ) -> None:
        """`name`: of the pool of workers with these `needs`; `nodes`: what there is now; `may_grow`: more may come."""
        self._config, self._needs, self._name, self._nodes = config, needs, name, nodes
        self._deadline = Deadline(config, may_grow=may_grow)
        self.pools: dict[str, Pool] = {}
        """Those that there are, for the time that their calls take."""
        self._shares: dict[str, dict[str, Share]] = {}

    def wanted(self) -> dict[str, dict[str, int]]:
        """See `crew.Machines`."""
        nodes = self._nodes()
        workers = fitting_workers(self._needs, list(nodes.values()), self._config)
        self._deadline.check(self._problem(workers, list(nodes.values())))
        shares = dict(zip(nodes, workers.shares, strict=True))
        self._shares = {self._name: shares}
        if self._name == WHOLE.name:
            load = self._decoding_load()
            self._shares[DECODE] = {node: decoding(share, self._config, load) for node, share in shares.items()}
        return {
            name: {node: share.count for node, share in shares.items() if share.count}
            for name, shares in self._shares.items()
        }

    def _decoding_load(self) -> float:
        """Seconds of decoding for each second of labelling; 0 as long as it is not known."""
        if not all(name in self.pools and self.pools[name].calls >= MEASURED_CALLS for name in (DECODE, self._name)):
            return 0.0
        return self.pools[DECODE].seconds / max(self.pools[self._name].seconds, 1e-9)

    @staticmethod
    def _problem(workers: Workers, nodes: Sequence[Node]) -> str:
        return "" if workers.count else f"{none_fits(workers, nodes)}. {SCALE}"

    def workers(self) -> int:
        """How many fit now."""
        return sum(share.count for share in self._shares.get(self._name, {}).values())

    def each(self, name: str, node: str) -> Resources:
        """What a worker of a pool reserves on a node."""
        return self._shares[name][node].each


class PoolLayout:
    """Workers of the operators, in pools of their own; sizes follow from the time that batches take in each."""

    def __init__(
        self, config: EngineConfig, levels: Levels, nodes: Callable[[], Mapping[str, Node]], *, may_grow: bool
    ) -> None:
        self._nodes, self._deadline = nodes, Deadline(config, may_grow=may_grow)
        self.needs = pool_needs(config, levels, nodes())
        self.pools: dict[str, Pool] = {}
        self._places: Places = {}

    def wanted(self) -> dict[str, dict[str, int]]:
        """See `crew.Machines`."""
        nodes = self._nodes()
        placed = {name: {node: pool.on(node) for node in nodes} for name, pool in self.pools.items()}
        seconds = {name: pool.seconds for name, pool in self.pools.items() if pool.calls >= MEASURED_CALLS}
        self._places, lacking = spread(self.needs, seconds, nodes, placed)
        self._deadline.check(no_room(lacking, self.needs, nodes))
        return {} if lacking else self._places

    def workers(self) -> int:
        """How many there are to be now, without decoders."""
        return sum(sum(found.values()) for name, found in self._places.items() if name != DECODE)

    def each(self, name: str, node: str) -> Resources:  # noqa: ARG002 - the same on all
        """What a worker of a pool reserves on a node."""
        return self.needs[name].each


def pool_needs(config: EngineConfig, levels: Levels, nodes: Mapping[str, Node]) -> dict[str, PoolNeeds]:
    """What each pool asks for, by its operators and by the configuration; no GPU where there is none, if models may
    fall back. Raises ConfigError for an unknown pool.
    """
    needs = {DECODE: PoolNeeds(Resources(cpus=config.decode_cpus, gpus=0.0, memory_gib=DECODERS_GIB))}
    needs |= {operator.name: PoolNeeds(reserved(operator.needs)) for level in levels for operator in level}
    for name, own in config.pool_settings.items():
        if name not in needs:
            msg = f"engine.pool_settings: there is no pool {name!r}: expected one of {', '.join(needs)}"
            raise ConfigError(msg)
        given = {key: value for key, value in (("cpus", own.cpus), ("gpus", own.gpus)) if value is not None}
        needs[name] = PoolNeeds(reserved(replace(needs[name].each, **given)), own.workers)
    if config.gpu_fallback and not any(node.gpus for node in nodes.values()):
        needs = {name: replace(item, each=replace(item.each, gpus=0.0)) for name, item in needs.items()}
    return needs


def no_room(lacking: str, needs: Mapping[str, PoolNeeds], nodes: Mapping[str, Node]) -> str:
    """The message that names a pool without room; empty where none is lacking."""
    if not lacking:
        return ""
    each = needs[lacking].each
    have = "; ".join(f"{node.cpus:g} CPUs, {node.gpus:g} GPUs, {node.memory_gib:.0f} GiB" for node in nodes.values())
    asked = f"{each.cpus:g} CPUs, {each.gpus:g} GPUs and {each.memory_gib or 0.0:.1f} GiB"
    count = needs[lacking].count or 1
    return (
        f"no room for the pool {lacking}: {count} x {asked}, beside the other pools ({', '.join(needs)}) on machines "
        f"with {have}. Change engine.pool_settings, or set engine.pools to fused. {SCALE}"
    )
