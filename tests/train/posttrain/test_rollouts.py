"""Answers of the engine: their random numbers, their limits, and how they are packed."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from curation.tokenize.base import CodecTokens
from curation.train.config import load_training_config
from curation.train.infer.backends.base import Request
from curation.train.posttrain.prompts import Prompt
from curation.train.posttrain.rollouts import MORE_ROOM, ROOM, Experience, decoder_of, roll_out

CONFIG = load_training_config(overrides=["posttrain.group=3", "posttrain.temperature=1", "data.token_budget=300"])


def prompt(task, length=8, answer=10):
    voice = CodecTokens(np.zeros(4, np.int32), np.zeros(32, np.int32))
    return Prompt(task, f"{task} {length}", np.arange(length, dtype=np.int32), "One.", "en", answer, voice)


def test_answers_follow_from_step_and_place_and_end_at_their_limit(model):
    prompts = [prompt("asr"), prompt("asr"), prompt("tts", 9, 2)]
    first, again, later = (roll_out(model, prompts, CONFIG, step) for step in (4, 4, 5))
    said = [[tuple(one.ids.tolist()) for one in rollouts] for rollouts in (first, again, later)]
    assert said[0] == said[1]
    assert len({*said[0], *said[2]}) == 18  # equal prompts of a step have other answers too
    for one in first:
        limit = ROOM * one.prompt.answer + MORE_ROOM
        assert len(one.ids) <= limit
        assert (one.end < 0) == (len(one.ids) == limit)
        assert set(one.ids.tolist()) <= set(one.allowed.body)


def test_rows_hold_whole_answers_of_one_task_with_their_ends(model):
    rollouts = roll_out(model, [prompt("asr", 20), prompt("tts", 30), prompt("tts", 5)], CONFIG, 0)
    batch = Experience.of(rollouts, 200)
    assert max(row.num_tokens for row, _ in batch.rows) <= 200
    assert all(len(set(row.tasks)) == 1 for row, _ in batch.rows)
    answers = torch.cat([row.ids[row.answers] for row, _ in batch.rows])
    for place, one in enumerate(rollouts):
        expected = [*one.ids.tolist(), *([one.end] if one.end >= 0 else [])]
        assert answers[batch.owner == place].tolist() == expected


def test_the_engine_answers_by_new_weights_once_it_is_idle(model, checkpoint):
    engine, asked = model.engine, [prompt("asr")]
    old, before = engine.decoder, roll_out(model, asked, CONFIG, 0)[0]
    state = load_file(checkpoint / "model.safetensors")
    state["model.norm.weight"] = -state["model.norm.weight"]
    stream = engine.stream(Request(asked[0].ids, before.allowed, 5))
    next(stream)
    with pytest.raises(ValueError, match="1 requests run"):
        engine.use(decoder_of(state, old))
    stream.close()
    try:
        engine.use(decoder_of(state, old))
        assert not np.array_equal(roll_out(model, asked, CONFIG, 0)[0].ids, before.ids)
    finally:
        engine.use(old)
    assert np.array_equal(roll_out(model, asked, CONFIG, 0)[0].ids, before.ids)
