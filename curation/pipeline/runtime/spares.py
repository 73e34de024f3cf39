"""Processes that a step of a build leaves to the next one: to start one takes 3 s of CPU, for Ray and for imports."""

from collections.abc import Callable
from typing import Generic, TypeVar

from curation.core.declarations import Resources

Item = TypeVar("Item")


class Spares(Generic[Item]):
    """Processes without work, by their node and what they reserve there."""

    def __init__(self, end: Callable[[Item], None]) -> None:
        """`end` ends a process."""
        self._end = end
        self._left: list[tuple[str, Resources, Item]] = []

    def leave(self, node: str, needs: Resources, item: Item) -> None:
        """Keep a process for the next step; one with a GPU is ended, since libraries hold the GPU's memory."""
        if needs.gpus:
            self._end(item)
        else:
            self._left.append((node, needs, item))

    def take(self, node: str, needs: Resources) -> Item | None:
        """A process of this size on the node, if there is one. Those of other sizes there are ended: they may have the
        room for it.
        """
        for entry in [entry for entry in self._left if entry[0] == node and entry[1] != needs]:
            self._left.remove(entry)
            self._end(entry[2])
        found = next((entry for entry in self._left if entry[0] == node), None)
        if found is None:
            return None
        self._left.remove(found)
        return found[2]
