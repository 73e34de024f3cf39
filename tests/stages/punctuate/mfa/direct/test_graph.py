"""The graph: how large it is, and that equal contexts are told apart only where the model does."""

import numpy as np

from curation.stages.punctuate.mfa.direct.acoustic import AcousticModel
from curation.stages.punctuate.mfa.direct.graph import EDGE, SILENCE, build, spell
from curation.stages.punctuate.mfa.direct.lexicon import Ends, Pronunciation
from tests.support.checkpoints.tiny_mfa import tiny_files

ENDS = Ends(0.1, 0.2, 0.3, 0.4, optional=True)
PLAIN = (0.0, 0.0, 0.0, 0.0, 0.0)


def test_pauses_are_between_all_words_and_at_both_ends():
    words = [[Pronunciation((3, 4), *PLAIN)], [Pronunciation((3,), *PLAIN), Pronunciation((4,), *PLAIN)]]
    begin, nodes = spell(words, ENDS, 1)
    assert begin.phone == EDGE
    assert [(node.phone, node.word) for node in nodes if node.word != SILENCE] == [(3, 0), (4, 0), (3, 1), (4, 1)]
    assert sum(node.word == SILENCE for node in nodes) == 3
    assert sorted(cost for _, cost in begin.following) == [0.1, 0.2]
    assert sorted(node.last for node in nodes)[:3] == [0.3, 0.4, 0.4]
    _, without = spell(words, Ends(0.1, 0.2, 0.3, 0.4, optional=False), 1)
    assert all(node.word != SILENCE for node in without)


def test_states_are_shared_by_contexts_that_the_model_does_not_tell_apart():
    """Phone 4 is told apart by its left neighbour, phone 3 by none: two states each."""
    states_of = AcousticModel(tiny_files(), "tiny").states
    alone = build([[Pronunciation((3,), *PLAIN)]], ENDS, 1, states_of)
    assert len(alone) == 3 * 2  # a pause on either side
    asked = build([[Pronunciation((4,), *PLAIN)]], ENDS, 1, states_of)
    assert len(asked) == 4 * 2  # after the pause, and at the beginning
    assert sorted(set(asked.densities)) == [0, 3, 4]


def test_arcs_lie_in_layers():
    words = [[Pronunciation((3, 4), *PLAIN), Pronunciation((4,), *PLAIN)]] * 3
    graph = build(words, ENDS, 1, AcousticModel(tiny_files(), "tiny").states)
    assert graph.layers[0] == len(graph)
    assert graph.layers == sorted(graph.layers, reverse=True)
    assert sum(graph.layers) == len(graph.source) == len(graph.cost)
    assert set(graph.word.tolist()) == {SILENCE, 0, 1, 2}


def test_the_phones_of_a_word_follow_one_another():
    _, nodes = spell([[Pronunciation((3, 4, 3), *PLAIN)]], ENDS, 1)
    first = next(place for place, node in enumerate(nodes) if node.word == 0)
    assert [nodes[first + at].following for at in range(2)] == [[(first + 1, 0.0)], [(first + 2, 0.0)]]


def test_the_cost_of_the_end_is_added_where_the_utterance_may_end():
    states_of = AcousticModel(tiny_files(), "tiny").states
    words = [[Pronunciation((3, 4), *PLAIN)]]
    cheap, dear = (build(words, Ends(0.1, 0.2, end, end, optional=True), 1, states_of) for end in (0.5, 2.0))
    ends = np.isfinite(cheap.last)
    assert 0 < ends.sum() < len(cheap)
    assert (cheap.last[ends] > 0.5).all()  # leaving a phone costs something too
    np.testing.assert_allclose(dear.last[ends] - cheap.last[ends], 1.5)
    np.testing.assert_array_equal(np.isfinite(dear.last), ends)
