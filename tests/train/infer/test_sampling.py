"""Choices have the probabilities of transformers' logits processors."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.errors import ConfigError
from curation.models.torch_compat import import_torchaudio
from curation.train.infer.sampling import (
    GREEDY,
    Allowed,
    Chooser,
    Draw,
    Head,
    Needs,
    Sampler,
    Sampling,
    choose,
    penalised,
    probabilities,
    random_numbers,
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
    sampler = Sampler(matrix, 1)
    sampler.admit(0, np.array(prompt, np.int32))
    chooser = Chooser.of([Draw(0, ALLOWED, sampling)], hidden)
    logits = sampler.logits(hidden, torch.tensor([0]), ALLOWED, chooser)
    ours = probabilities(logits, chooser, Needs.of([sampling]))[0]
    theirs = library_probabilities((hidden @ matrix.T)[0], prompt, sampling)
    torch.testing.assert_close(ours / ours.sum(), theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("codes", "penalty"), [(8192, 1.2), (1024, 1.0), (256, 1.0)])
def test_speech_is_sampled_as_in_the_paper_and_few_codes_are_not_penalised(codes, penalty):
    """GPA (arXiv 2601.10770): temperature 0.2, repetition penalty 1.2, no nucleus."""
    assert speech_sampling(codes) == Sampling(temperature=0.2, top_p=1.0, repetition_penalty=penalty)


@pytest.mark.parametrize(
    "odd",
    [{"temperature": float("nan")}, {"temperature": -1}, {"top_p": 0}, {"repetition_penalty": 0}, {"seed": -1}],
)
def test_settings_that_draw_nothing_are_refused(odd):
    with pytest.raises(ConfigError, match="seed 0 or more"):
        Sampling(**odd)


def chosen(logits, samplings, uniforms=None, seen=None):
    uniforms = uniforms or [0.5] * len(samplings)
    draws = [Draw(0, ALLOWED, *pair) for pair in zip(samplings, uniforms, strict=True)]
    chooser = Chooser.of(draws, logits)
    logits = logits if seen is None else penalised(logits, seen, chooser.penalty)
    return choose(logits, chooser, Needs.of(samplings)).tolist()


@pytest.mark.parametrize("top_p", [1.0, 0.6])
def test_draws_follow_the_probabilities(top_p):
    """The two likeliest, which hold 0.74 of the probability, are the first and the last choice."""
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0, -30.0, 1.5]]).repeat(4000, 1)
    samplings = [Sampling(1.0, top_p, seed=seed) for seed in range(4000)]
    uniforms = [random_numbers(sampling, np.zeros(0, np.int32)).random() for sampling in samplings]
    counts = Counter(chosen(logits, samplings, uniforms))
    left = logits[0] if top_p == 1 else torch.where(logits[0] < 1.5, -torch.inf, logits[0])
    for place, share in enumerate(torch.softmax(left, 0).tolist()):
        assert abs(counts[place] / 4000 - share) < 4 * (share / 4000) ** 0.5 + 1e-9


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_the_ends_of_the_interval_choose_something_possible(uniform):
    logits = torch.tensor([[-200.0, 1.0, 0.5, -200.0]])
    assert chosen(logits, [Sampling(0.5)], [uniform]) == [1 if uniform == 0 else 2]


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-40, 1e-300])
def test_the_coldest_requests_choose_the_likeliest_beside_others(temperature):
    """Logits that are divided by as little are infinite in float32."""
    logits = torch.tensor([[20.0, -3.0, 7.0], [5.0, 0.0, 1.0]])
    assert chosen(logits, [Sampling(temperature), Sampling(0.01)], [0.3, 0.3]) == [0, 0]


def test_greedy_and_sampled_requests_share_a_batch():
    logits = torch.tensor([[0.0, 5.0, 1.0], [0.0, 5.0, 1.0], [9.0, 5.0, 1.0]])
    for uniform in (0.0, 0.5, 1 - 2**-53):  # greedy ones are certain
        assert chosen(logits, [GREEDY, Sampling(0.01), Sampling(0, 1, 1.2)], [uniform] * 3) == [1, 1, 0]


@given(seed=st.integers(0, 1000), uniform=st.floats(0, 1, exclude_max=True))
def test_what_other_rows_need_changes_no_choice(seed, uniform):
    torch.manual_seed(seed)
    logits, seen = torch.randn(3, 300) * 3, torch.rand(3, 300) < 0.3
    rows = [Sampling(0.7), Sampling(1.3, 0.5, 1.4), GREEDY]
    together = chosen(logits, rows, [uniform] * 3, seen)
    alone = [
        chosen(logits[row : row + 1], [sampling], [uniform], seen[row : row + 1] if row == 1 else None)[0]
        for row, sampling in enumerate(rows)
    ]
    assert together == alone


def test_what_was_said_becomes_less_likely():
    allowed = Allowed(range(3), ())
    sampler = Sampler(torch.eye(3), 2)
    sampler.admit(1, np.array([1], np.int32))
    hidden, draws = torch.tensor([[1.0, 1.5, -1.0]]), [Draw(1, allowed, Sampling(repetition_penalty=2.0))]
    assert [sampler.next_ids(hidden, draws)[0] for _ in range(2)] == [0, 1]  # 1.5 / 2 < 1, then 1 / 2 < 1.5 / 2
    sampler.admit(1, np.zeros(0, np.int32))
    assert sampler.next_ids(hidden, draws) == [1]


def test_logits_of_half_precision_are_computed_in_float32():
    """A logit near 25 would be a multiple of 0.125 in bfloat16."""
    torch.manual_seed(0)
    matrix, hidden = torch.randn(50, 64).bfloat16(), 5 * torch.randn(4, 64)
    logits = Head(matrix, ALLOWED)(hidden)
    exact = hidden.double() @ matrix.double()[[*ALLOWED.body, *ALLOWED.ends]].T
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits.double(), exact, rtol=1e-5, atol=1e-4)


def test_requests_have_random_numbers_of_their_own():
    prompts = [np.array(ids, np.int32) for ids in ([1, 2], [2, 1], [1, 2], [])]
    first = [random_numbers(Sampling(seed=seed), prompt).random() for seed in (0, 1) for prompt in prompts]
    assert first[0] == first[2]
    assert first[4] == first[6]
    assert len(set(first)) == 6


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"repetition_penalty": 0}])
def test_settings_out_of_range_are_errors(wrong):
    with pytest.raises(ValueError, match="temperature must be"):
        Sampling(**wrong)
