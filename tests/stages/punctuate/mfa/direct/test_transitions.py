"""Transitions: topologies with jumps, their costs, and the models that are refused."""

import math

import pytest

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.kaldi import KaldiFile
from curation.stages.punctuate.mfa.direct.transitions import Transitions
from tests.support.checkpoints.tiny_mfa import integers, number, real, token, transitions, vector


def made(*, entry, triples, probabilities, kind="<Triples>", entries=1, entry_of=(-1, 0)):
    body = token("<TransitionModel>", "<Topology>") + integers([1]) + integers(entry_of) + number(entries) + entry
    body += token("</Topology>", kind) + number(len(triples)) + b"".join(number(*each) for each in triples)
    logs = [0.0] + [math.log(each) for each in probabilities]
    body += token("</Triples>", "<LogProbs>") + vector(logs) + token("</LogProbs>", "</TransitionModel>")
    return Transitions(KaldiFile(b"\0B" + body, "final.mdl"))


def state(density_class, *targets):
    return number(density_class, len(targets)) + b"".join(number(target) + real(0.5) for target in targets)


JUMPS = number(3) + state(0, 0, 1, 2) + state(1, 2) + state(-1)
GOOD = {"entry": JUMPS, "triples": [(1, 0, 4), (1, 1, 5)], "probabilities": [0.6, 0.3, 0.1, 1.0]}


def test_costs_of_staying_going_on_and_jumping():
    """Leaving: a tenth of -log 0.4, and where it goes, in full; what cannot stay pays nothing for leaving."""
    found = made(**GOOD)
    leave = -0.1 * math.log(0.4)
    expected = (-0.1 * math.log(0.6), leave - math.log(0.75), leave - math.log(0.25))
    assert found.costs[1, 0, 4] == pytest.approx(expected, abs=1e-6)
    assert found.costs[1, 1, 5] == pytest.approx((0,), abs=1e-6)
    assert [each.targets for each in found.topologies[1]] == [(0, 1, 2), (2,)]
    assert found.phones_of == {4: {1}, 5: {1}}


def test_a_state_that_never_ends_can_be_left():
    found = made(**{**GOOD, "probabilities": [1.0, 1e-30, 1e-30, 1.0]})
    assert all(math.isfinite(cost) for cost in found.costs[1, 0, 4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entries": -1}, "a chain model"),
        ({"kind": "<Tuples>"}, "expected <Triples>"),
        ({"triples": [(1, 2, 4)]}, "phone 1 has no state 2"),
        ({"triples": [(9, 0, 4)]}, "phone 9 has no state 0"),
        ({"probabilities": [0.5]}, "transition probabilities are missing"),
        ({"probabilities": [0.6, 3.0, 0.1, 1.0]}, "transition probabilities are missing or above 1"),
        ({"entry_of": (-1, 5)}, "phone 1 has no states"),
        ({"entry": number(1) + state(-1)}, "a phone has no states"),
        ({"entry": number(2) + state(-1, 1) + state(0)}, "an order that is not supported"),
        ({"entry": number(2) + state(0, 9) + state(-1)}, "an order that is not supported"),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(ModelError, match=f"final.mdl cannot be read: .*{message}"):
        made(**{**GOOD, **change})


def test_the_tiny_model_has_all_states():
    content = transitions([1, 2], lambda phone, state: [phone, state + 7])
    assert len(Transitions(KaldiFile(b"\0B" + content, "tiny")).costs) == 8
