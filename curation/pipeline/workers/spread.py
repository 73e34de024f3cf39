"""How many workers each pool gets where the label pass has several: as many as let the slowest pool be fastest.

Every batch goes through every pool, so that a pool of n workers, each of which takes s seconds for a batch, lets n / s
batches through in a second. Workers go one by one to the pool that lets the fewest through, for as long as one more
fits. Shares of a GPU are rounded up to 1, 1/2, 1/3, …, since a share is of one device.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from curation.core.declarations import Resources
from curation.pipeline.workers.sizing import Node

SPARE_CPUS = 1.0
"""For the driver and Ray's own processes, on the largest machine that has more."""
Places = dict[str, dict[str, int]]
"""Workers of each pool on each node."""


@dataclass(frozen=True, slots=True)
class PoolNeeds:
    """What a pool asks for."""

    each: Resources
    """Of one worker."""
    count: int | None = None
    """Workers, where the configuration says how many."""


@dataclass(slots=True)
class _Room:
    """What is free on a node."""

    cpus: float
    memory_gib: float
    devices: list[float] = field(default_factory=list)
    """Free share of each GPU."""

    def take(self, needs: Resources) -> bool:
        """Take room for a worker, if there is enough."""
        if self.cpus + 1e-6 < needs.cpus or self.memory_gib + 1e-6 < (needs.memory_gib or 0.0):
            return False
        whole = math.ceil(needs.gpus - 1e-6)
        share = needs.gpus if needs.gpus < 1 else 1.0
        free = [number for number, left in enumerate(self.devices) if left + 1e-6 >= share]
        if len(free) < whole:
            return False
        for number in sorted(free, key=lambda number: self.devices[number])[:whole]:
            self.devices[number] -= share
        self.cpus -= needs.cpus
        self.memory_gib -= needs.memory_gib or 0.0
        return True


def whole_share(gpus: float) -> float:
    """A share of a GPU as it is reserved: 1/m, rounded up; or whole GPUs."""
    return 1 / int(1 / gpus + 1e-6) if 0 < gpus < 1 else float(math.ceil(gpus - 1e-6))


def spread(
    pools: Mapping[str, PoolNeeds],
    seconds: Mapping[str, float],
    nodes: Mapping[str, Node],
    placed: Mapping[str, Mapping[str, int]],
) -> tuple[Places, str]:
    """Workers of each pool on each node, those that are `placed` included; and the pool for which there is no room.

    `seconds` that a batch takes in each pool; without all of them, a pool gets one, or as many as configured.
    """
    rooms = _rooms(nodes)
    places: Places = {name: {node: count for node, count in placed.get(name, {}).items() if count} for name in pools}
    for name, found in places.items():
        for node, count in found.items():
            for _ in range(count if node in rooms else 0):
                rooms[node].take(pools[name].each)
    for name in sorted(pools, key=lambda name: (-pools[name].each.gpus, -pools[name].each.cpus)):
        while sum(places[name].values()) < (pools[name].count or 1):
            if not _place(name, pools[name].each, rooms, places):
                return places, name
    while len(seconds) == len(pools):
        open_pools = [name for name in pools if pools[name].count is None]
        slowest = min(pools, key=lambda name: rate(name, seconds, places))
        if slowest not in open_pools or not _place(slowest, pools[slowest].each, rooms, places):
            break
    return places, ""


def rate(name: str, seconds: Mapping[str, float], places: Mapping[str, Mapping[str, int]]) -> float:
    """Batches that a pool lets through in a second."""
    return sum(places[name].values()) / max(seconds[name], 1e-9)


def _rooms(nodes: Mapping[str, Node]) -> dict[str, _Room]:
    rooms = {name: _Room(node.cpus, node.memory_gib, [1.0] * int(node.gpus)) for name, node in nodes.items()}
    largest = max(rooms, key=lambda name: nodes[name].cpus, default="")
    if largest and rooms[largest].cpus > 2 * SPARE_CPUS:
        rooms[largest].cpus -= SPARE_CPUS
    return rooms


def _place(name: str, each: Resources, rooms: Mapping[str, _Room], places: Places) -> bool:
    """Put a worker where most CPUs are free; one without a GPU beside none, if it can."""
    order = sorted(rooms, key=lambda node: (bool(rooms[node].devices) and not each.gpus, -rooms[node].cpus))
    for node in order:
        if rooms[node].take(each):
            places[name][node] = places[name].get(node, 0) + 1
            return True
    return False


def reserved(needs: Resources) -> Resources:
    """What a worker reserves of Ray."""
    return replace(needs, gpus=whole_share(needs.gpus) if needs.gpus else 0.0)
