"""Speech from BiCodec tokens: batches without padding artefacts, and streaming that equals offline decoding."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.tokenize.base import CodecTokens
from curation.tokenize.official.bicodec.synthesis import Window
from curation.tokenize.official.bicodec.tokenizer import BiCodecTokenizer


def random_tokens(tokenizer, count, seed):
    rng = np.random.default_rng(seed)
    semantic = rng.integers(0, tokenizer.semantic_size, count).astype(np.int32)
    return CodecTokens(semantic, rng.integers(0, tokenizer.global_size, tokenizer.num_global).astype(np.int32))


@pytest.fixture(scope="module")
def double(bicodec_folder):
    """The same codec in float64, in which only a wrong value differs: rounding is below 1e-11."""
    tokenizer = BiCodecTokenizer(bicodec_folder)
    tokenizer.model.double()
    return tokenizer


@settings(max_examples=6, deadline=None)
@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=5), seed=st.integers(0, 2**16))
def test_speech_does_not_depend_on_the_batch_up_to_the_last_sample(double, counts, seed):
    tokens = [random_tokens(double, count, seed + i) for i, count in enumerate(counts)]
    vectors = double.dvector([item.global_ for item in tokens])
    whole = [Window(item.semantic, 0, len(item.semantic), vector) for item, vector in zip(tokens, vectors, strict=True)]
    one_batch = double.synthesis.batch(whole)
    for item, together, forced in zip(tokens, double.decode(tokens), one_batch, strict=True):
        alone = double.decode([item])[0]
        assert together.shape == (320 * len(item.semantic),)
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-11)
        np.testing.assert_allclose(forced, alone, rtol=0, atol=1e-11)


def test_windows_of_streams_in_one_batch_are_those_alone(double):
    """At the start, in the middle and at the end of streams of other lengths."""
    item = random_tokens(double, 300, 7)
    vector, places = double.dvector([item.global_])[0], [(0, 95, 0, 25), (0, 230, 67, 163), (60, 200, 67, 92)]
    windows = [Window(item.semantic[a:b], c - a, d - a, vector) for a, b, c, d in places]
    for window, together in zip(windows, double.synthesis.batch(windows), strict=True):
        np.testing.assert_allclose(together, double.synthesis.batch([window])[0], rtol=0, atol=1e-11)
        assert len(together) == 320 * (window.end - window.start)


def test_the_generator_reads_what_is_near_the_spoken_tokens_alone(double):
    """25 tokens of a stream: the prenet reads them with 67 on each side, the generator with 10."""
    read = {}
    hooks = [
        part.register_forward_hook(lambda _, inputs, __, name=name: read.update({name: inputs[0].shape}))
        for name, part in (("prenet", double.model.prenet), ("generator", double.model.decoder))
    ]
    before, after = double.reach
    item = random_tokens(double, before + 25 + after, 9)
    double.synthesis([Window(item.semantic, before, before + 25, double.dvector([item.global_])[0])])
    [hook.remove() for hook in hooks]
    assert read["prenet"][1] == before + 25 + after
    assert 25 < read["generator"][-1] <= 25 + 2 * 10


def test_speech_streamed_in_several_threads_is_each_ones_own(bicodec):
    items = [random_tokens(bicodec, 60 + seed, seed) for seed in range(6)]

    def streamed(item):
        return np.concatenate(list(bicodec.decode_stream(np.array_split(item.semantic, 3), item.global_)))

    with ThreadPoolExecutor(6) as threads:
        for item, wave in zip(items, threads.map(streamed, items), strict=True):
            np.testing.assert_allclose(wave, bicodec.decode([item])[0], rtol=0, atol=2e-5)


@settings(max_examples=4, deadline=None)
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
