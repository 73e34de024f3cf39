"""Speech from BiCodec tokens: batches without padding artefacts, and streaming that equals offline decoding."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.tokenize.base import CodecTokens
from curation.tokenize.official.checkpoints import exact_float32


def random_tokens(tokenizer, count, seed):
    rng = np.random.default_rng(seed)
    semantic = rng.integers(0, tokenizer.semantic_size, count).astype(np.int32)
    return CodecTokens(semantic, rng.integers(0, tokenizer.global_size, tokenizer.num_global).astype(np.int32))


@pytest.fixture(scope="module")
def double(bicodec):
    """The same codec in float64, in which only a wrong value differs: rounding is below 1e-11."""
    tokenizer = copy.copy(bicodec)
    tokenizer.model = copy.deepcopy(bicodec.model).double()
    return tokenizer


@settings(max_examples=6, deadline=None)
@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=5), seed=st.integers(0, 2**16))
def test_speech_does_not_depend_on_the_batch_up_to_the_last_sample(double, counts, seed):
    tokens = [random_tokens(double, count, seed + i) for i, count in enumerate(counts)]
    with exact_float32():
        vectors = double.dvector([item.global_ for item in tokens])
        one_batch = double.synthesize([item.semantic for item in tokens], vectors).numpy()
    for item, together, forced in zip(tokens, double.decode(tokens), one_batch, strict=True):
        alone = double.decode([item])[0]
        assert together.shape == (320 * len(item.semantic),)
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-11)
        np.testing.assert_allclose(forced[: len(alone)], alone, rtol=0, atol=1e-11)


@settings(max_examples=6, deadline=None)
@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=8), seed=st.integers(0, 2**16))
def test_streaming_with_the_whole_reach_is_exact(double, sizes, seed):
    item = random_tokens(double, sum(sizes) + 1, seed)
    chunks = np.split(item.semantic, np.cumsum(sizes))
    pieces = list(double.decode_stream(iter(chunks), item.global_))
    np.testing.assert_allclose(np.concatenate(pieces), double.decode([item])[0], rtol=0, atol=1e-11)


def test_streaming_speaks_as_soon_as_the_look_ahead_allows(bicodec):
    item = random_tokens(bicodec, 100, 1)
    arrived = []

    def chunks():
        for start in range(0, 100, 10):
            arrived.append(start + 10)
            yield item.semantic[start : start + 10]

    said = 0
    for piece in bicodec.decode_stream(chunks(), item.global_, look_ahead=15):
        said += len(piece) // 320
        assert said == (arrived[-1] - 15 if arrived[-1] < 100 else said)
    assert said == 100


def test_a_shorter_look_ahead_errs_only_near_the_joins_and_more_of_it_less(double):
    item = random_tokens(double, 120, 3)
    offline = double.decode([item])[0]
    errors = []
    for look_ahead in (0, 4, 12, double.reach[1]):
        stream = double.decode_stream(np.array_split(item.semantic, 6), item.global_, look_ahead)
        errors.append(np.sqrt(np.mean((np.concatenate(list(stream)) - offline) ** 2)))
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert errors[3] < 1e-11 < errors[2]


def test_reach_is_no_larger_than_needed(double):
    # Changing one token must change samples as far away as `reach` says, and none beyond.
    before, after = double.reach
    item = random_tokens(double, before + after + 21, 5)
    changed = item.semantic.copy()
    middle = after + 10
    changed[middle] = (changed[middle] + 1) % double.semantic_size
    waves = [double.decode([tokens])[0] for tokens in (item, CodecTokens(changed, item.global_))]
    touched = np.flatnonzero((waves[0] != waves[1]).reshape(-1, 320).any(1))
    assert middle - touched[0] == after
    assert touched[-1] - middle == before


def test_nothing_to_say_is_an_empty_wave(bicodec):
    empty, item = random_tokens(bicodec, 0, 1), random_tokens(bicodec, 3, 2)
    assert [len(wave) for wave in bicodec.decode([empty, item, empty])] == [0, 960, 0]
    assert list(bicodec.decode_stream([], item.global_)) == []
    assert bicodec.encode([]) == bicodec.decode([]) == []


def test_reach_at_the_official_sizes():
    from curation.tokenize.official.bicodec.backbone import FeatureDecoder
    from curation.tokenize.official.bicodec.generator import WaveGenerator, reach

    with torch.device("meta"):
        prenet = FeatureDecoder(1024, 384, 2048, 12, 1024, condition_dim=1024)
        assert reach([prenet, WaveGenerator(1024, 1536, [8, 5, 4, 2], [16, 11, 8, 4])], 320) == (67, 67)


@pytest.mark.parametrize(
    ("semantic", "global_", "message"),
    [
        ([8192], [0] * 32, "semantic ids"),
        ([-1], [0] * 32, "semantic ids"),
        ([0], [4096] * 32, "global ids"),
        ([0], [0] * 31, "31 global ids, expected 32"),
    ],
)
def test_ids_out_of_range_are_errors(bicodec, semantic, global_, message):
    with pytest.raises(ValueError, match=message):
        bicodec.decode([CodecTokens(np.array(semantic), np.array(global_))])
