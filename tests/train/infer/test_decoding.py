"""Steps of fixed shapes: their calls do not depend on the rows' lengths, and rows that fill up change nothing."""

import pytest
import torch

from curation.train.infer.attention import NextTokens
from curation.train.infer.decoding import Decoding
from curation.train.infer.engine import Engine, Request
from curation.train.infer.sampling import GREEDY, PAPER, Allowed, Draw, Sampler, Sampling
from tests.train.infer.calls import Calls
from tests.train.infer.test_engine import ALLOWED, decoder, prompts  # noqa: F401 - a fixture

TEXT = Allowed(range(300), (7,))


def step(model, lengths, *, allowed=(ALLOWED,), sampling=GREEDY, slots=8):
    """The ids of a decode step behind prompts of these lengths, and how many operators it called."""
    cache, sampler = model.new_cache(slots, 64), Sampler(model.head, slots + 1)
    decoding = Decoding(model, cache, sampler)
    draws = []
    with torch.inference_mode():
        for row, prompt in enumerate(prompts(lengths)):
            slot = cache.take()
            model.forward(prompt.tolist(), [NextTokens(slot, len(prompt))], cache)
            sampler.admit(slot, prompt)
            draws.append(Draw(slot, allowed[row % len(allowed)], sampling, 0.5))
        decoding([9] * len(draws), draws)
        with Calls() as calls:
            ids = decoding([11] * len(draws), draws)
    assert cache.lengths[: len(lengths)] == [length + 2 for length in lengths]
    return ids, calls.count


@pytest.mark.parametrize("sampling", [GREEDY, PAPER, Sampling(1.0, 0.9)])
def test_the_calls_of_a_step_do_not_grow_with_its_rows(decoder, sampling):  # noqa: F811
    counts = {step(decoder, lengths, sampling=sampling)[1] for lengths in ([9, 9], [5, 9], [3, 40, 1, 17, 22, 8, 60])}
    assert len(counts) == 1


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8])
def test_rows_that_fill_a_step_up_change_nothing(decoder, rows):  # noqa: F811
    lengths = [3, 40, 1, 17, 22, 8, 60, 2][:rows]
    together = step(decoder, lengths, allowed=(ALLOWED, TEXT), sampling=PAPER)[0]
    whole = step(decoder, lengths, allowed=(ALLOWED, TEXT), sampling=PAPER, slots=rows)[0]
    assert together == whole
    assert all(number in (ALLOWED if row % 2 == 0 else TEXT).body for row, number in enumerate(together))


@pytest.mark.parametrize("sampling", [GREEDY, PAPER])
def test_ten_calls_at_most_surround_what_a_gpu_replays(decoder, sampling):  # noqa: F811
    engine = Engine(decoder, 16, 200, fixed=True)
    requests = [Request(prompt, Allowed(ALLOWED.body, ()), 40, sampling) for prompt in prompts(range(5, 90, 6))]
    answers = [engine.submit(request) for request in requests]
    heard = engine.follow(answers[0])
    [next(heard) for _ in range(3)]
    with Calls() as whole:
        next(heard)
    (shape,) = engine.decoding._steps
    with torch.inference_mode(), Calls() as replayed:
        engine.decoding._step(shape)
    assert whole.count - replayed.count <= 10 < replayed.count
