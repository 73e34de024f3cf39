"""Streaming decode of the compact codec: what is exact, and how far a token reaches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.tokenize.base import CodecTokens
from curation.tokenize.compact.codec import CompactCodec
from curation.tokenize.compact.stream import CompactStream
from curation.tokenize.speech import speech


@pytest.fixture(scope="module")
def codec():
    return CompactCodec()


def random_tokens(codec, count, seed):
    """Tokens that wander: uniformly random ones would leave no pitch to carry along."""
    rng = np.random.default_rng(seed)
    semantic = rng.integers(0, codec.semantic_size, -(-count // 3)).repeat(3)[:count]
    return CodecTokens(semantic.astype(np.int32), rng.integers(100, 156, codec.num_global).astype(np.int32))


@settings(max_examples=8, deadline=None)
@given(sizes=st.lists(st.integers(0, 70), min_size=1, max_size=8), seed=st.integers(0, 2**16))
def test_pieces_join_to_the_offline_wave(codec, sizes, seed):
    item = random_tokens(codec, sum(sizes) + 1, seed)
    chunks = np.split(item.semantic, np.cumsum(sizes))
    joined = np.concatenate(list(codec.decode_stream(iter(chunks), item.global_)))
    offline = codec.decode([item])[0]
    assert joined.shape == offline.shape
    np.testing.assert_allclose(joined, offline, rtol=0, atol=2e-5)


def test_memory_does_not_grow(codec):
    item = random_tokens(codec, 300, 1)
    stream, held = CompactStream(codec, item.global_), []

    def chunks():
        for start in range(0, 300, 10):
            yield item.semantic[start : start + 10]
            held.append((len(stream.held), len(stream.noise)))

    assert sum(map(len, speech(stream, chunks(), 15, None))) == 320 * 300
    assert max(tokens for tokens, _ in held) <= 2 * stream.look_ahead + 25
    assert max(samples for _, samples in held) <= 320 * (2 * stream.look_ahead + 25)


def test_less_look_ahead_errs_more(codec):
    item = random_tokens(codec, 120, 3)
    offline = codec.decode([item])[0]
    errors = []
    for look_ahead in (0, 8, 16, None):
        wave = np.concatenate(list(codec.decode_stream(np.array_split(item.semantic, 6), item.global_, look_ahead)))
        errors.append(np.sqrt(np.mean((wave - offline) ** 2)))
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1e-6 < errors[2]


def test_a_short_look_ahead_of_the_first_piece_errs_there_and_hardly_after_it(codec):
    item = random_tokens(codec, 120, 3)
    offline, chunks = codec.decode([item])[0], [item.semantic[:38], item.semantic[38:]]
    wave = np.concatenate(list(codec.decode_stream(chunks, item.global_, first_look_ahead=13)))
    errors = np.abs(wave - offline).reshape(-1, 320).max(axis=1) / np.sqrt(np.mean(offline**2))
    assert 1e-4 < errors[:26].max() < 0.1
    assert errors[34:].max() < 1e-3


def test_a_token_changes_nothing_before_its_reach(codec):
    item = random_tokens(codec, 100, 5)
    changed = item.semantic.copy()
    changed[60] = (changed[60] + 4000) % codec.semantic_size
    waves = [codec.decode([tokens])[0] for tokens in (item, CodecTokens(changed, item.global_))]
    touched = np.flatnonzero(np.abs(waves[0] - waves[1]).reshape(-1, 320).max(axis=1) > 1e-6)
    assert codec.look_ahead - 8 <= 60 - touched[0] <= codec.look_ahead


def test_nothing_to_say_is_no_piece(codec):
    item = random_tokens(codec, 1, 2)
    assert list(codec.decode_stream([], item.global_)) == []
    assert list(codec.decode_stream([np.zeros(0, np.int32)], item.global_)) == []
    with pytest.raises(ValueError, match="below 8192"):
        list(codec.decode_stream([np.array([8192])], item.global_))
