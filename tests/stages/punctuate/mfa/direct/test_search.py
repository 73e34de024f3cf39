"""The graph and the search against every path there is, on small cases."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.stages.punctuate.mfa.direct.acoustic import PhoneStates
from curation.stages.punctuate.mfa.direct.graph import SILENCE, build
from curation.stages.punctuate.mfa.direct.lexicon import Ends, Pronunciation
from curation.stages.punctuate.mfa.direct.search import best_path
from curation.stages.punctuate.mfa.direct.transitions import State

PAUSE = 1
TOPOLOGIES = {
    PAUSE: (State(0, (0, 1, 2)), State(1, (1, 0, 2))),  # states that can be left for any other
    2: (State(0, (0, 1)),),
    3: (State(0, (0, 1)), State(1, (2,))),  # the second lasts one frame
}


def states_of(left, phone, right):
    """Densities depend on both neighbours, but not for the pause, as usual; costs on the state and where it leads."""
    topology = TOPOLOGIES[phone]
    kind = 0 if phone == PAUSE else (left + 1) * (right + 2) % 4  # some neighbours differ only beside some others
    densities = tuple((phone * 7 + state * 3 + kind) % 9 for state in range(len(topology)))
    costs = tuple(
        tuple(0.1 * (phone + state) + 0.3 * target + 0.05 * kind for target in each.targets)
        for state, each in enumerate(topology)
    )
    return PhoneStates(topology, densities, costs)


def ways_of(words, ends):
    """Every sequence of phones with its cost, by the definition: choose pronunciations and pauses."""
    for ways in product(*words):
        for pauses in product([False, True], repeat=len(ways) + 1):
            if any(pauses) and not ends.optional:
                continue
            cost = ends.first_silence if pauses[0] else ends.first_none
            phones = [(PAUSE, SILENCE)] * pauses[0]
            for index, way in enumerate(ways):
                cost += way.cost + (way.before_silence if pauses[index] else way.before_none)
                cost += way.after_silence if pauses[index + 1] else way.after_none
                phones += [(phone, index) for phone in way.phones] + [(PAUSE, SILENCE)] * pauses[index + 1]
            yield phones, cost + (ends.last_silence if pauses[-1] else ends.last_none)


def best_of_phone(phone, emissions, start):
    """Of one phone from a frame on: the best score for each frame at which it can end, by following every path."""
    found = {}
    todo = [(0, start, 0.0)]
    while todo:
        state, frame, score = todo.pop()
        if frame >= len(emissions):
            continue
        score += emissions[frame, phone.densities[state]]
        for target, cost in zip(phone.topology[state].targets, phone.costs[state], strict=True):
            if target == len(phone.topology):
                found[frame + 1] = max(found.get(frame + 1, -math.inf), score - cost)
            else:
                todo.append((target, frame + 1, score - cost))
    return found


def brute_force(words, ends, emissions):
    best = -math.inf
    for phones, cost in ways_of(words, ends):
        names = [0, *(phone for phone, _ in phones), 0]
        ended = {0: -cost}
        for left, phone, right in zip(names, names[1:], names[2:], strict=False):
            following = {}
            for start, score in ended.items():
                for end, more in best_of_phone(states_of(left, phone, right), emissions, start).items():
                    following[end] = max(following.get(end, -math.inf), score + more)
            ended = following
        best = max(best, ended.get(len(emissions), -math.inf))
    return best


costs = st.sampled_from([0.0, 0.2, 0.7, 1.5])
pronunciations = st.builds(
    Pronunciation,
    st.lists(st.sampled_from([2, 3]), min_size=1, max_size=2).map(tuple),
    costs,
    costs,
    costs,
    costs,
    costs,
)
sentences = st.lists(st.lists(pronunciations, min_size=1, max_size=2), min_size=1, max_size=3)
all_ends = st.builds(Ends, costs, costs, costs, costs, st.booleans())


@settings(max_examples=100, deadline=None)
@given(sentences, all_ends, st.integers(1, 7), st.integers(0, 1000), st.sampled_from([0, 2, 4]))
def test_the_best_path_is_the_best_of_all(words, ends, frames, seed, quiet):
    """`quiet` makes pauses likely."""
    emissions = np.random.default_rng(seed).normal(scale=2, size=(frames, 9))
    emissions[:, list(states_of(0, PAUSE, 0).densities)] += quiet
    graph = build(words, ends, PAUSE, states_of)
    found = best_path(graph, emissions[:, graph.densities])
    wanted = brute_force(words, ends, emissions)
    if found is None:
        assert wanted == -math.inf
        return
    path, score = found
    assert score == pytest.approx(wanted)
    assert len(path) == frames
    spoken = [word for word in graph.word[path].tolist() if word != SILENCE]
    assert spoken == sorted(spoken)
    assert set(spoken) == set(range(len(words)))


@pytest.mark.parametrize("phones", [(3, 2), (2, 2, 3)])
def test_neighbours_that_differ_only_beside_some_others_are_told_apart(phones):
    """Left of the last 2 of the first: a pause or 3, the same at the very end, not before a pause. Right of the second
    2 of the other: a pause or 3, the same after a pause, not after 2.
    """
    words = [[Pronunciation((phone,), *[0.0] * 5)] for phone in phones]
    ends = Ends(0.0, 0.0, 0.0, 0.0, optional=True)
    graph = build(words, ends, PAUSE, states_of)
    for seed in range(30):
        emissions = np.random.default_rng(seed).normal(scale=2, size=(6, 9))
        _, score = best_path(graph, emissions[:, graph.densities])
        assert score == pytest.approx(brute_force(words, ends, emissions))


@settings(max_examples=20, deadline=None)
@given(sentences, all_ends, st.integers(30, 90), st.integers(0, 1000))
def test_the_score_is_that_of_the_path(words, ends, frames, seed):
    """Over many stretches of frames: the path on the way back is the one whose score the way there found."""
    emissions = np.random.default_rng(seed).normal(scale=2, size=(frames, 9))
    graph = build(words, ends, PAUSE, states_of)
    path, score = best_path(graph, emissions[:, graph.densities])
    starts = np.cumsum([0, *graph.layers])
    total = -graph.first[path[0]] - graph.last[path[-1]]
    total += emissions[np.arange(frames), np.array(graph.densities)[graph.density[path]]].sum()
    for before, state in pairwise(path):
        arcs = [starts[layer] + state for layer, size in enumerate(graph.layers) if state < size]
        total -= min(graph.cost[arc] for arc in arcs if graph.source[arc] == before)
    assert score == pytest.approx(total)
