"""The decoder and its engine against the library's `generate`, and requests that come and go."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from curation.train.infer.attention import NextTokens
from curation.train.infer.backends.base import Request
from curation.train.infer.engine import Engine
from curation.train.infer.qwen3 import Qwen3Decoder
from curation.train.infer.sampling import GREEDY, PAPER, Allowed, Sampling
from curation.train.infer.weights import Sizes
from tests.support.checkpoints.speech import random_qwen3

VOCABULARY, END = 600, 7
ALLOWED = Allowed(range(100, 500), (END,))
PENALISED = Sampling(repetition_penalty=1.2)
MIXED = [5, 1, 40, 9, 90, 3, 17]
"""Lengths of prompts that are answered together."""


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def pair(request, tmp_path_factory):
    """The library's model, and ours of the same file."""
    folder = tmp_path_factory.mktemp("qwen3")
    library = random_qwen3(VOCABULARY, seed=1, tie_word_embeddings=request.param)
    library.save_pretrained(folder)
    return library, load(folder)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decoder")
    random_qwen3(VOCABULARY, seed=2).save_pretrained(folder)
    return load(folder)


def load(folder, dtype=torch.float32):
    return Qwen3Decoder(Sizes.read(folder / "config.json"), load_file(folder / "model.safetensors"), dtype)


def prompts(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, VOCABULARY, length).astype(np.int32) for length in lengths]


def generate(library, batch, penalty, limit=20):
    """The library's answers to a batch, padded on the left, constrained to the same ids."""
    longest = max(map(len, batch))
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(batch):
        ids[row, longest - len(prompt) :] = torch.from_numpy(prompt.astype(np.int64))
        mask[row, longest - len(prompt) :] = 1
    choices = [*ALLOWED.body, END]
    out = library.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=limit,
        do_sample=False,
        eos_token_id=END,
        pad_token_id=0,
        repetition_penalty=penalty,
        prefix_allowed_tokens_fn=lambda *_: choices,
    )
    rows = [row[longest:].tolist() for row in out]
    return [row[: row.index(END)] if END in row else row for row in rows]


@pytest.fixture(scope="module")
def expected(pair):
    """The library's answers to `MIXED`, greedy and penalised: each takes longer than all of ours."""
    library, batch = pair[0], prompts(MIXED)
    # In a padded batch the library also penalises the padding's id, which is not allowed here.
    penalised = [generate(library, [prompt], 1.2)[0] for prompt in batch]
    return {GREEDY: generate(library, batch, 1.0), PENALISED: penalised}


@pytest.mark.parametrize(
    ("slots", "settings"),
    [(2, {}), (16, {}), (5, {"prompt_tokens": 7}), (3, {"fixed": True}), (16, {"fixed": True, "prompt_tokens": 7})],
)
@pytest.mark.parametrize("sampling", [GREEDY, PENALISED], ids=["greedy", "penalised"])
def test_answers_are_those_of_the_library(pair, expected, sampling, slots, settings):
    batch = prompts(MIXED)
    engine = Engine(pair[1], slots, 200, **settings)
    answers = engine.run([Request(prompt, ALLOWED, 20, sampling) for prompt in batch])
    assert len({tuple(answer.ids) for answer in answers}) == len(batch)
    assert [answer.ids for answer in answers] == expected[sampling]


def test_some_answers_end_and_some_reach_the_limit(pair):
    answers = Engine(pair[1], 4, 200).run([Request(prompt, ALLOWED, 60, PENALISED) for prompt in prompts([4] * 12)])
    assert {answer.finished for answer in answers} == {"end", "limit"}
    assert all(len(answer.ids) == 60 for answer in answers if answer.finished == "limit")
    assert all(number in ALLOWED.body for answer in answers for number in answer.ids)


def test_hidden_states_of_mixed_steps_are_those_of_the_library(pair):
    library, decoder = pair
    first, second = prompts([6, 11])
    cache = decoder.new_cache(2, 32)
    with torch.inference_mode():
        decoder.forward(first[:5].tolist(), [NextTokens(0, 5)], cache)
        both = decoder.forward([int(first[5]), *second.tolist()], [NextTokens(0, 1), NextTokens(1, 11)], cache)
        for row, prompt in zip(both, (first, second), strict=True):
            states = library.model(torch.from_numpy(prompt.astype(np.int64))[None]).last_hidden_state
            torch.testing.assert_close(row, states[0, -1], rtol=1e-4, atol=1e-4)


@settings(max_examples=settings.default.max_examples // 3)
@given(data=st.data())
def test_requests_come_and_go_without_touching_one_another(decoder, data):
    lengths = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=6))
    samplings = [data.draw(st.sampled_from([GREEDY, PENALISED, PAPER, Sampling(1.5, 0.8, 1.1, 3)])) for _ in lengths]
    limits = [data.draw(st.integers(1, 25)) for _ in lengths]
    pieces = zip(prompts(lengths, seed=sum(lengths)), limits, samplings, strict=True)
    requests = [Request(prompt, ALLOWED, limit, sampling) for prompt, limit, sampling in pieces]
    alone = [Engine(decoder, 1, 64).run([request])[0].ids for request in requests]
    settings = {"fixed": data.draw(st.booleans()), "prompt_tokens": data.draw(st.sampled_from([1, 5, 2048]))}
    engine = Engine(decoder, data.draw(st.integers(1, 3)), 64, **settings)
    order = data.draw(st.permutations(range(len(requests))))
    cancelled = data.draw(st.sets(st.sampled_from(range(len(requests)))))
    streams, heard = {}, {index: [] for index in order}
    for index in order:
        streams[index] = engine.stream(requests[index])
        for running in list(streams)[: data.draw(st.integers(0, 3))]:
            heard[running] += [number for number in [next(streams[running], None)] if number is not None]
        if index in cancelled:
            streams.pop(index).close()
    for index, stream in streams.items():
        assert heard[index] + list(stream) == alone[index]
    assert engine.cache.num_free == engine.cache.slots


def test_streams_of_several_threads_are_those_of_one(decoder):
    requests = [Request(prompt, ALLOWED, 40, PAPER) for prompt in prompts([3, 8, 21, 2, 13])]
    alone = [answer.ids for answer in Engine(decoder, 8, 64).run(requests)]
    engine, heard = Engine(decoder, 3, 64), {}

    def listen(index):
        heard[index] = list(engine.stream(requests[index]))

    threads = [threading.Thread(target=listen, args=(index,)) for index in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [heard[index] for index in range(len(requests))] == alone
    assert engine.steps < sum(map(len, alone))


def test_a_closed_stream_frees_its_place(decoder):
    engine = Engine(decoder, 1, 64)
    running, waiting = (engine.stream(Request(prompt, ALLOWED, 40, PENALISED)) for prompt in prompts([3, 4]))
    next(running)
    follower = engine.submit(Request(prompts([4], 1)[0], ALLOWED, 5))
    running.close()
    waiting.close()
    engine.cancel(follower)
    assert follower.finished == "cancelled"
    assert engine.cache.num_free == 1
    assert engine.run([Request(prompts([4])[0], ALLOWED, 5)])[0].finished


def test_seeds_decide_and_nothing_else(decoder):
    prompt = prompts([9])[0]
    same = [Request(prompt, ALLOWED, 25, Sampling(temperature=1.0, seed=4)) for _ in range(3)]
    other = Request(prompt, ALLOWED, 25, Sampling(temperature=1.0, seed=5))
    answers = Engine(decoder, 8, 64).run([*same, other])
    assert answers[0].ids == answers[1].ids == answers[2].ids != answers[3].ids


class Failing:
    """A decoder that fails at a call, as a device that is out of memory does: in the middle, with its cache written."""

    def __init__(self, decoder, calls, error):
        self.decoder, self.calls, self.error = decoder, calls, error

    def __getattr__(self, name):
        return getattr(self.decoder, name)

    def forward(self, ids, rows, cache):
        return self._failing(self.decoder.forward(ids, rows, cache))

    def decode(self, place, cache):
        return self._failing(self.decoder.decode(place, cache))

    def _failing(self, out):
        self.calls -= 1
        if self.calls == 0:
            raise self.error
        return out


@pytest.mark.parametrize("fixed", [False, True])
def test_a_failed_step_ends_its_own_requests_only(decoder, fixed):
    requests = [Request(prompt, ALLOWED, 30, PENALISED) for prompt in prompts([3, 8, 5, 6])]
    alone = [Engine(decoder, 1, 64).run([request])[0].ids for request in requests]
    failing = Failing(decoder, 4, torch.OutOfMemoryError("no memory"))
    engine = Engine(failing, 2, 64, fixed=fixed)
    answers = [engine.submit(request) for request in requests]
    with pytest.raises(torch.OutOfMemoryError, match="no memory"):
        list(engine.follow(answers[0]))
    for answer in answers[:2]:
        assert (answer.finished, answer.error) == ("failed", failing.error)
        assert 0 < len(answer.ids) < 30
    assert [list(engine.follow(answer)) for answer in answers[2:]] == alone[2:]
    assert engine.cache.num_free == 2
    assert [answer.ids for answer in engine.run(requests)] == alone


def test_a_prompt_that_fails_does_not_stop_running_requests_where_it_is_read_apart(decoder):
    running, long = (Request(prompt, ALLOWED, 30, PENALISED) for prompt in prompts([3, 60]))
    alone = Engine(decoder, 1, 64).run([running])[0].ids
    failing = Failing(decoder, 0, RuntimeError("no memory"))
    engine = Engine(failing, 2, 64, fixed=True)
    stream = engine.stream(running)
    heard = [next(stream), next(stream)]
    failing.calls = 1
    late = engine.submit(long)
    assert heard + list(stream) == alone
    assert late.finished == "failed"
    with pytest.raises(RuntimeError, match="no memory"):
        next(engine.follow(late))


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_a_failed_run_leaves_nothing_behind(decoder, error):
    batch = [Request(prompt, ALLOWED, 30) for prompt in prompts([3, 8, 5, 6, 7])]
    engine = Engine(Failing(decoder, 3, error), 2, 64)
    with pytest.raises(type(error)):
        engine.run(batch)
    assert engine.cache.num_free == 2
    assert not engine._waiting
    assert not engine._running
    assert [len(answer.ids) > 0 for answer in engine.run(batch)] == [True] * 5


def test_a_run_with_a_request_that_is_refused_leaves_nothing_behind(decoder):
    engine = Engine(decoder, 1, 64)
    good, bad = (Request(prompt, ALLOWED, 5) for prompt in prompts([3, 64]))
    with pytest.raises(ValueError, match="do not fit"):
        engine.run([good, good, bad])
    assert not engine._waiting


@pytest.mark.parametrize("fixed", [False, True])
def test_requests_of_several_tasks_share_a_step(decoder, fixed):
    texts = Allowed(range(300), (END, 550))
    mixed = [
        Request(prompt, allowed, 20, sampling)
        for prompt, allowed, sampling in zip(
            prompts([3, 8, 21, 2]), [ALLOWED, texts] * 2, [PENALISED, GREEDY, PAPER, PENALISED], strict=True
        )
    ]
    alone = [Engine(decoder, 1, 64).run([request])[0].ids for request in mixed]
    assert [answer.ids for answer in Engine(decoder, 4, 64, fixed=fixed).run(mixed)] == alone


def test_an_answer_never_outgrows_the_cache(decoder):
    endless = Allowed(ALLOWED.body, ())
    answers = Engine(decoder, 2, 16).run([Request(prompt, endless, 1000) for prompt in prompts([15, 12])])
    assert [len(answer.ids) for answer in answers] == [1, 4]
    assert {answer.finished for answer in answers} == {"limit"}


@pytest.mark.parametrize(("length", "limit"), [(16, 5), (0, 5), (3, 0)])
def test_requests_that_cannot_be_answered_are_refused(decoder, length, limit):
    with pytest.raises(ValueError, match="do not fit"):
        Engine(decoder, 1, 16).submit(Request(prompts([length])[0], ALLOWED, limit))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model_type": "llama"}, "model_type"),
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope type"),
    ],
)
def test_networks_that_are_no_plain_qwen3_are_refused(pair, tmp_path, changed, message):
    import json

    config = pair[0].config.to_dict() | changed
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        Sizes.read(tmp_path / "config.json")


def test_weights_in_8_bits_give_nearly_the_same_states_alone_or_in_a_batch(pair):
    library, exact = pair
    tensors = dict(library.state_dict())
    rounded = Qwen3Decoder(exact.sizes, tensors, torch.float32, int8=True)
    first, second = prompts([6, 11])
    with torch.inference_mode():
        states = [
            decoder.forward(first.tolist(), [NextTokens(0, 6)], decoder.new_cache(2, 32))
            for decoder in (exact, rounded)
        ]
        both = rounded.forward(
            [*second.tolist(), *first.tolist()], [NextTokens(0, 11), NextTokens(1, 6)], rounded.new_cache(2, 32)
        )
    torch.testing.assert_close(both[1], states[1][0], rtol=1e-4, atol=1e-4)
    # 0.06 on CPUs without VNNI, whose inputs have 7 bits
    assert 0 < (states[0] - states[1]).norm() / states[0].norm() < 0.1
    together = Engine(rounded, 4, 200).run([Request(prompt, ALLOWED, 20) for prompt in (first, second)])
    alone = [Engine(rounded, 1, 200).run([Request(prompt, ALLOWED, 20)])[0] for prompt in (first, second)]
    assert [answer.ids for answer in together] == [answer.ids for answer in alone]
