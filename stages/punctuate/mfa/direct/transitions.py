"""Kaldi's transition model: the states of each phone, and the cost of going from one to the next.

Source: Kaldi, src/hmm/hmm-topology.cc, transition-model.cc and hmm-utils.cc (`GetScaledTransitionLogProb`).
"""

import math
from dataclasses import dataclass

from curation.stages.punctuate.mfa.direct.kaldi import KaldiFile

SELF_LOOP_SCALE = 0.1
TRANSITION_SCALE = 1.0
"""Defaults of `mfa align`."""
ALMOST_ONE = 0.999999


@dataclass(frozen=True, slots=True)
class State:
    """A state that lasts at least one frame."""

    density_class: int
    """The tree's name for the state."""
    targets: tuple[int, ...]
    """Where it can go; the number of states is the end of the phone."""


Topology = tuple[State, ...]
"""The states of a phone; it begins with the first."""
Costs = tuple[float, ...]
"""Of the transitions of a state, in the order of `State.targets`."""


class Transitions:
    """Topologies by phone, and costs by (phone, state, density)."""

    def __init__(self, file: KaldiFile) -> None:
        file.token("<TransitionModel>")
        self.topologies = _topologies(file)
        tuples = _tuples(file)
        file.token("<LogProbs>")
        logs = file.vector()
        file.token("</LogProbs>")
        file.token("</TransitionModel>")
        self.costs: dict[tuple[int, int, int], Costs] = {}
        self.phones_of: dict[int, set[int]] = {}
        """Density -> the phones that share it."""
        at = 1  # transitions are numbered from 1
        for phone, state, density in tuples:
            topology = self.topologies.get(phone, ())
            if not 0 <= state < len(topology):
                file.fail(f"phone {phone} has no state {state}")
            targets = topology[state].targets
            found = [float(log) for log in logs[at : at + len(targets)]]
            if len(found) != len(targets) or not all(log <= 1e-4 for log in found):
                file.fail("transition probabilities are missing or above 1")
            self.costs[phone, state, density] = _costs(state, targets, found)
            self.phones_of.setdefault(density, set()).add(phone)
            at += len(targets)


def _costs(state: int, targets: tuple[int, ...], logs: list[float]) -> Costs:
    """Scaled costs: the duration of a state counts less than where it goes."""
    stay = next((log for target, log in zip(targets, logs, strict=True) if target == state), None)
    leave = math.log(1 - min(math.exp(stay), ALMOST_ONE)) if stay is not None else 0.0
    return tuple(
        -SELF_LOOP_SCALE * log if target == state else -SELF_LOOP_SCALE * leave - TRANSITION_SCALE * (log - leave)
        for target, log in zip(targets, logs, strict=True)
    )


def _topologies(file: KaldiFile) -> dict[int, Topology]:
    file.token("<Topology>")
    phones, entry_of = file.integers(), file.integers()
    count = file.integer()
    if count == -1:
        file.fail("its states have two densities each (a chain model), which is not supported")
    entries = [_topology(file) for _ in range(count)]
    file.token("</Topology>")
    found = {}
    for phone in phones.tolist():
        entry = int(entry_of[phone]) if 0 <= phone < len(entry_of) else -1
        if not 0 <= entry < len(entries):
            file.fail(f"phone {phone} has no states")
        found[phone] = entries[entry]
    return found


def _topology(file: KaldiFile) -> Topology:
    states = []
    count = file.integer()
    for number in range(count):
        density_class = file.integer()
        targets = []
        for _ in range(file.integer()):
            targets.append(file.integer())
            file.real()  # the probability before training
        if (density_class >= 0) != (number < count - 1) or not all(0 <= target < count for target in targets):
            file.fail("a phone has states in an order that is not supported")
        states.append(State(density_class, tuple(targets)))
    if len(states) < 2:
        file.fail("a phone has no states")
    return tuple(states[:-1])


def _tuples(file: KaldiFile) -> list[tuple[int, int, int]]:
    file.token("<Triples>")
    found = [(file.integer(), file.integer(), file.integer()) for _ in range(file.integer())]
    file.token("</Triples>")
    return found
