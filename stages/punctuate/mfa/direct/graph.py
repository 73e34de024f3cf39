"""The graph of an utterance: every way to say its words, as the states of phones in their context.

Words may be said in several ways, with silence between them or without. Each phone of each way is a node of a small
graph (`spell`); a node becomes one set of states for each kind of neighbours that the decision tree tells apart
(`expand`). Costs are negative logarithms of probabilities, scaled as `mfa align` does.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from curation.stages.punctuate.mfa.direct.acoustic import PhoneStates
from curation.stages.punctuate.mfa.direct.lexicon import Ends, Pronunciation

SILENCE = -1
"""The word of a silence."""
EDGE = 0
"""The phone beside the first and the last one."""

StatesOf = Callable[[int, int, int], PhoneStates]
"""Left phone, phone, right phone -> the states."""
Link = tuple[int, float]
"""What follows, and its cost."""


@dataclass(slots=True)
class Node:
    """One phone at one place of the utterance."""

    phone: int
    word: int
    """Index of its word, or `SILENCE`."""
    following: list[Link] = field(default_factory=list)
    last: float = np.inf
    """Cost of ending here; infinite where it cannot end."""


@dataclass(frozen=True, slots=True)
class Graph:
    """States, and the arcs that lead to each: one or more. Those with most arcs come first.

    The n-th arcs of all states that have so many are side by side (a layer), in the order of the states: so the best of
    a state's arcs is found for all states at once.
    """

    densities: list[int]
    """The model's numbers of the densities that occur."""
    density: npt.NDArray[np.intp]
    """Of each state: index into `densities`."""
    phone: npt.NDArray[np.intp]
    """Of each state: the index of its node, one phone at one place."""
    word: npt.NDArray[np.intp]
    """Of each state: index of its word, or `SILENCE`."""
    source: npt.NDArray[np.intp]
    """Of each arc, layer by layer."""
    cost: npt.NDArray[np.float64]
    layers: list[int]
    """The arcs of each layer: those of the first states, as many as this says."""
    first: npt.NDArray[np.float64]
    """Of each state: cost of beginning there; infinite where that cannot be."""
    last: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """The number of states."""
        return len(self.density)


def build(words: Sequence[Sequence[Pronunciation]], ends: Ends, silence: int, states_of: StatesOf) -> Graph:
    """The graph of some words, each with its pronunciations; `silence` is the phone between them."""
    begin, nodes = spell(words, ends, silence)
    return expand(begin, nodes, states_of)


def spell(words: Sequence[Sequence[Pronunciation]], ends: Ends, silence: int) -> tuple[Node, list[Node]]:
    """The beginning of the utterance, which is no phone, and the nodes.

    Before, between and after the words there is a pause (one node) or nothing; the costs of both depend on the
    pronunciations around it.
    """
    begin, nodes = Node(EDGE, SILENCE), list[Node]()
    before = [(begin, ends.first_silence, ends.first_none)]  # with the costs of a pause after it, and of none
    for index, ways in enumerate(words):
        pause = _pause(nodes, silence, before) if ends.optional else None
        ended = []
        for way in ways:
            start = len(nodes)
            nodes += [Node(phone, index) for phone in way.phones]
            for at in range(start, len(nodes) - 1):
                nodes[at].following.append((at + 1, 0.0))
            if pause is not None:
                pause.following.append((start, way.cost + way.before_silence))
            for node, _, none in before:
                node.following.append((start, none + way.cost + way.before_none))
            ended.append((nodes[-1], way.after_silence, way.after_none))
        before = ended
    if ends.optional:
        _pause(nodes, silence, before).last = ends.last_silence
    for node, _, none in before:
        node.last = none + ends.last_none
    return begin, nodes


def _pause(nodes: list[Node], silence: int, before: Iterable[tuple[Node, float, float]]) -> Node:
    pause = Node(silence, SILENCE)
    for node, cost, _ in before:
        node.following.append((len(nodes), cost))
    nodes.append(pause)
    return pause


class _Contexts:
    """The kinds of neighbours of a node that the model tells apart, and the states for each pair of them."""

    def __init__(self, phone: int, lefts: set[int], rights: set[int], states_of: StatesOf) -> None:
        table = {(left, right): states_of(left, phone, right) for left in lefts for right in rights}
        of_left = {left: tuple(table[left, right].densities for right in sorted(rights)) for left in lefts}
        of_right = {right: tuple(table[left, right].densities for left in sorted(lefts)) for right in rights}
        self.left, self.lefts = _numbered(of_left)
        self.right, self.rights = _numbered(of_right)
        self.states = {(self.left[left], self.right[right]): found for (left, right), found in table.items()}
        self.base: dict[tuple[int, int], int] = {}
        """Of each kind: its first state in the graph."""

    def exits(self, kind: tuple[int, int]) -> list[Link]:
        """The states from which the phone can end, with the costs."""
        found = self.states[kind]
        return [
            (self.base[kind] + state, cost)
            for state, costs in enumerate(found.costs)
            for target, cost in zip(found.topology[state].targets, costs, strict=True)
            if target == len(found.topology)
        ]


def _numbered(keys: Mapping[int, Hashable]) -> tuple[dict[int, int], int]:
    """Equal keys get the same number; the numbers, and how many there are."""
    numbers: dict[Hashable, int] = {}
    found = {phone: numbers.setdefault(key, len(numbers)) for phone, key in sorted(keys.items())}
    return found, len(numbers)


def expand(begin: Node, nodes: Sequence[Node], states_of: StatesOf) -> Graph:
    """The states of all nodes in all their contexts."""
    contexts = _contexts(begin, nodes, states_of)
    made = _Builder()
    for index, (node, context) in enumerate(zip(nodes, contexts, strict=True)):
        for kind, found in context.states.items():
            context.base[kind] = made.add(found, index, node.word)
    for following, cost in begin.following:
        target = contexts[following]
        for right in range(target.rights):
            made.first[target.base[target.left[begin.phone], right]] = cost
    for node, context in zip(nodes, contexts, strict=True):
        for following, cost in node.following:
            target, right = contexts[following], context.right[nodes[following].phone]
            entries = [target.base[target.left[node.phone], after] for after in range(target.rights)]
            for left in range(context.lefts):
                for state, leave in context.exits((left, right)):
                    made.arcs += [(entry, state, leave + cost) for entry in entries]
        if node.last < np.inf:
            for left in range(context.lefts):
                for state, leave in context.exits((left, context.right[EDGE])):
                    made.last[state] = leave + node.last
    return made.graph()


def _contexts(begin: Node, nodes: Sequence[Node], states_of: StatesOf) -> list[_Contexts]:
    lefts: list[set[int]] = [set() for _ in nodes]
    rights: list[set[int]] = [{EDGE} if node.last < np.inf else set() for node in nodes]
    for following, _ in begin.following:
        lefts[following].add(begin.phone)
    for node, right in zip(nodes, rights, strict=True):
        for following, _ in node.following:
            lefts[following].add(node.phone)
            right.add(nodes[following].phone)
    return [
        _Contexts(node.phone, left, right, states_of) for node, left, right in zip(nodes, lefts, rights, strict=True)
    ]


class _Builder:
    """Collects states and arcs."""

    def __init__(self) -> None:
        self.arcs: list[tuple[int, int, float]] = []
        """Target, source, cost."""
        self.first: dict[int, float] = {}
        self.last: dict[int, float] = {}
        self._states: list[tuple[int, int, int]] = []

    def add(self, found: PhoneStates, node: int, word: int) -> int:
        """The states of a phone, with the arcs between them; the number of the first."""
        base = len(self._states)
        self._states += [(density, node, word) for density in found.densities]
        for state, costs in enumerate(found.costs):
            for target, cost in zip(found.topology[state].targets, costs, strict=True):
                if target < len(found.topology):
                    self.arcs.append((base + target, base + state, cost))
        return base

    def graph(self) -> Graph:
        """The arrays."""
        count = len(self._states)
        reached = {target for target, _, _ in self.arcs}
        never = [(state, state, np.inf) for state in range(count) if state not in reached]
        arcs = sorted([*self.arcs, *never])
        target = np.array([target for target, _, _ in arcs])
        degree = np.bincount(target, minlength=count)
        order = np.argsort(-degree, kind="stable")
        rank = np.arange(len(arcs)) - (np.cumsum(degree) - degree)[target]
        number = np.argsort(order)  # of each state: its new number
        sorted_arcs = np.lexsort((number[target], rank))
        densities, density = np.unique([density for density, _, _ in self._states], return_inverse=True)
        return Graph(
            densities=[int(each) for each in densities],
            density=density.astype(np.intp)[order],
            phone=np.array([node for _, node, _ in self._states], np.intp)[order],
            word=np.array([word for _, _, word in self._states], np.intp)[order],
            source=number[np.array([source for _, source, _ in arcs])[sorted_arcs]],
            cost=np.array([cost for _, _, cost in arcs])[sorted_arcs],
            layers=np.bincount(rank).tolist(),
            first=_filled(self.first, count)[order],
            last=_filled(self.last, count)[order],
        )


def _filled(costs: Mapping[int, float], count: int) -> npt.NDArray[np.float64]:
    found = np.full(count, np.inf)
    found[list(costs)] = list(costs.values())
    return found
