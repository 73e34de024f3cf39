"""Choices have the probabilities of transformers' logits processors."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.models.torch_compat import import_torchaudio
from curation.train.infer.sampling import (
    GREEDY,
    Allowed,
    Chooser,
    Head,
    Sampling,
    choose,
    probabilities,
    speech_sampling,
)

ALLOWED = Allowed(range(10, 30), (3, 40))


def library_probabilities(logits, prompt, sampling):
    """What `generate` samples from: the same processors, in its order."""
    import_torchaudio()
    from transformers import (
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopPLogitsWarper,
    )

    scores, ids = logits[None].clone(), torch.tensor(prompt)[None]
    scores = RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)(ids, scores)
    kept = torch.full_like(scores, -torch.inf)
    choices = [*ALLOWED.body, *ALLOWED.ends]
    kept[:, choices] = scores[:, choices]
    scores = TemperatureLogitsWarper(sampling.temperature)(ids, kept)
    if sampling.top_p < 1:
        scores = TopPLogitsWarper(sampling.top_p)(ids, scores)
    return torch.softmax(scores, -1)[0, choices]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    temperature=st.floats(0.1, 3),
    top_p=st.floats(0.05, 1),
    penalty=st.floats(0.5, 2),
    prompt=st.lists(st.integers(0, 49), min_size=1, max_size=30),
)
def test_probabilities_are_those_of_the_library(seed, temperature, top_p, penalty, prompt):
    torch.manual_seed(seed)
    hidden, matrix = torch.randn(1, 8, dtype=torch.float64), torch.randn(50, 8, dtype=torch.float64)
    sampling = Sampling(temperature, top_p, penalty)
    chooser = Chooser(sampling, ALLOWED, np.array(prompt, np.int32))
    ours = probabilities(Head(matrix, ALLOWED)(hidden), [chooser])[0]
    theirs = library_probabilities((hidden @ matrix.T)[0], prompt, sampling)
    torch.testing.assert_close(ours / ours.sum(), theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("codes", "penalty"), [(8192, 1.2), (1024, 1.0), (256, 1.0)])
def test_speech_is_sampled_as_in_the_paper_and_few_codes_are_not_penalised(codes, penalty):
    """GPA (arXiv 2601.10770): temperature 0.2, repetition penalty 1.2, no nucleus."""
    assert speech_sampling(codes) == Sampling(temperature=0.2, top_p=1.0, repetition_penalty=penalty)


@pytest.mark.parametrize("top_p", [1.0, 0.6])
def test_draws_follow_the_probabilities(top_p):
    """The two likeliest, which hold 0.74 of the probability, are the first and the last choice."""
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0, -30.0, 1.5]]).repeat(4000, 1)
    allowed = Allowed(range(6), ())
    choosers = [Chooser(Sampling(1.0, top_p, seed=seed), allowed, np.zeros(0, np.int32)) for seed in range(4000)]
    counts = Counter(choose(logits, choosers))
    left = logits[0] if top_p == 1 else torch.where(logits[0] < 1.5, -torch.inf, logits[0])
    for place, share in enumerate(torch.softmax(left, 0).tolist()):
        assert abs(counts[place] / 4000 - share) < 4 * (share / 4000) ** 0.5 + 1e-9


def test_greedy_and_sampled_requests_share_a_batch():
    logits = torch.tensor([[0.0, 5.0, 1.0], [0.0, 5.0, 1.0], [9.0, 5.0, 1.0]])
    allowed = Allowed(range(3), ())
    choosers = [Chooser(s, allowed, np.zeros(0, np.int32)) for s in (GREEDY, Sampling(0.01), Sampling(0, 1, 1.2))]
    assert probabilities(logits, choosers)[[0, 2]].tolist() == [[0, 1, 0], [1, 0, 0]]  # certain
    assert choose(logits, choosers) == [1, 1, 0]


def test_what_was_said_becomes_less_likely():
    allowed = Allowed(range(3), ())
    chooser = Chooser(Sampling(repetition_penalty=2.0), allowed, np.array([1], np.int32))
    logits = torch.tensor([[1.0, 1.5, -1.0]])
    assert [choose(logits, [chooser])[0] for _ in range(2)] == [0, 1]  # 1.5 / 2 < 1, then 1 / 2 < 1.5 / 2


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"repetition_penalty": 0}])
def test_settings_out_of_range_are_errors(wrong):
    with pytest.raises(ValueError, match="temperature must be"):
        Sampling(**wrong)
