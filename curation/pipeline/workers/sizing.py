"""How many workers fit on the machines that there are: the engine, `curation plan` and `curation doctor` ask here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from curation.core.declarations import Resources
from curation.pipeline.config import EngineConfig

RAY_STEPS = 10_000
"""Ray counts shares of a CPU in this many steps."""
DECODERS_GIB = 0.4
"""Main memory of decoding on a machine."""
WORKERS_PER_DECODER = 8
"""Label workers that one decoding process feeds, as long as nothing is measured: with models it takes a hundredth of
their time."""


@dataclass(frozen=True, slots=True)
class Node:
    """What a machine has for workers."""

    cpus: float
    gpus: float = 0.0
    memory_gib: float = math.inf


@dataclass(frozen=True, slots=True)
class Share:
    """The workers of one machine, and what each of them reserves."""

    count: int
    each: Resources


@dataclass(frozen=True, slots=True)
class Workers:
    """The label workers of all machines."""

    needs: Resources
    """What a worker asks for."""
    shares: tuple[Share, ...]
    """One for each machine, in order."""

    @property
    def count(self) -> int:
        """On all machines."""
        return sum(share.count for share in self.shares)

    @property
    def cpus(self) -> float:
        """CPUs that each worker reserves, the fewest on any machine."""
        return min((share.each.cpus for share in self.shares if share.count), default=self.needs.cpus)


def fitting_workers(needs: Resources, nodes: Sequence[Node], engine: EngineConfig) -> Workers:
    """The label workers that fit on each machine beside decoding, all together at most as many as are configured.

    Where they would take every CPU of a machine, they give up a share each, since decoding would get none and the build
    would wait for ever. None fits where a machine has no more CPUs than decoding reserves. GPUs are not needed where
    there are none and `engine.gpu_fallback` is on.
    """
    if engine.gpu_fallback and not any(node.gpus for node in nodes):
        needs = replace(needs, gpus=0.0)
    shares = [_share(needs, node, engine.decode_cpus) for node in nodes]
    every = sum(share.count for share in shares)
    for _ in range(every - (engine.workers or every)):
        fullest = max(range(len(shares)), key=lambda number: shares[number].count)
        shares[fullest] = replace(shares[fullest], count=shares[fullest].count - 1)
    return Workers(needs, tuple(shares))


def _share(needs: Resources, node: Node, decode_cpus: float) -> Share:
    if node.cpus <= decode_cpus:
        return Share(0, needs)
    limits = [node.cpus / needs.cpus]
    if needs.memory_gib and node.memory_gib < math.inf:
        limits.append((node.memory_gib - DECODERS_GIB) / needs.memory_gib)
    if needs.gpus >= 1:
        limits.append(node.gpus // math.ceil(needs.gpus - 1e-6))
    elif needs.gpus > 0:
        limits.append(node.gpus * int(1 / needs.gpus + 1e-6))  # a share is of one device
    count = max(0, int(min(limits) + 1e-6))
    cpus = min(needs.cpus, (node.cpus - decode_cpus) / max(1, count))
    return Share(count, replace(needs, cpus=math.floor(cpus * RAY_STEPS + 1e-6) / RAY_STEPS))


def decoding(share: Share, engine: EngineConfig, load: float = 0.0) -> Share:
    """The decoding processes beside the workers of a machine.

    `load`: seconds of decoding for each second of labelling, once it is known. There are as many as it takes that no
    worker waits for them, at most one for each; all together would reserve `engine.decode_cpus`.
    """
    if not share.count:
        return Share(0, Resources(cpus=engine.decode_cpus, gpus=0.0))
    count = max(1 + share.count // WORKERS_PER_DECODER, min(share.count, math.ceil(share.count * load)))
    most = max(count, share.count)
    cpus = math.floor(engine.decode_cpus / most * RAY_STEPS) / RAY_STEPS
    return Share(count, Resources(cpus=cpus, gpus=0.0, memory_gib=DECODERS_GIB / most))


def none_fits(workers: Workers, nodes: Sequence[Node]) -> str:
    """Why there is no room for a worker, and what to change."""
    needs, most = workers.needs, max(nodes, key=lambda node: (node.gpus, node.cpus), default=Node(0))
    memory = "" if most.memory_gib == math.inf else f", {most.memory_gib:.1f} GiB of memory"
    return (
        f"no worker fits: each takes {needs.cpus:g} CPUs (engine.worker_cpus), {needs.gpus:g} GPUs "
        f"(engine.worker_gpus) and {needs.memory_gib or 0.0:.1f} GiB of memory beside decoding, and the largest "
        f"machine has {most.cpus:g} CPUs, {most.gpus:g} GPUs{memory}"
    )
