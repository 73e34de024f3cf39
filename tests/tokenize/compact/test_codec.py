"""The compact tokenizers: counts, independence of the batch, decoding, pinned weights, and speech that survives."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.tokenize.base import CodecTokens
from curation.tokenize.compact import weights
from curation.tokenize.compact.codec import CompactCodec
from curation.tokenize.compact.content import CompactContent
from curation.tokenize.compact.weights import load_weights, save_weights


@pytest.fixture(scope="module")
def codec():
    return CompactCodec()


@pytest.fixture(scope="module")
def content():
    return CompactContent()


def speech_like(samples, seed):
    """A gliding tone with harmonics, noise and pauses."""
    random = np.random.default_rng(seed)
    time = np.arange(samples) / SAMPLE_RATE
    phase = 2 * np.pi * (120 + 40 * random.random()) * time + 3 * np.sin(2 * np.pi * 2 * time)
    wave = sum(np.sin(k * phase) / k for k in range(1, 20)) * (np.sin(2 * np.pi * 3 * time + seed) > -0.3)
    return (0.1 * wave + 0.01 * random.standard_normal(samples)).astype(np.float32)


def same(a, b):
    return np.array_equal(a.semantic, b.semantic) and np.array_equal(a.global_, b.global_)


@settings(max_examples=15, deadline=None)
@given(samples=st.integers(0, 40_000), seed=st.integers(0, 1000))
def test_counts_and_ranges_for_any_length(codec, content, samples, seed):
    wave = speech_like(samples, seed)
    ids = content.encode([wave])[0]
    assert len(ids) == content.num_tokens(samples) == -(-samples // 1280)
    assert ids.dtype == np.int32
    assert not len(ids) or 0 <= ids.min() <= ids.max() < content.codebook_size
    tokens = codec.encode([wave])[0]
    assert len(tokens.semantic) == codec.num_semantic(samples) == (max(samples, 400) - 400) // 320 + 1
    assert tokens.semantic.dtype == tokens.global_.dtype == np.int32
    assert 0 <= tokens.semantic.min() <= tokens.semantic.max() < codec.semantic_size
    assert len(tokens.global_) == codec.num_global == 32
    assert 0 <= tokens.global_.min() <= tokens.global_.max() < codec.global_size


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(1, 30_000), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_the_batch(codec, content, lengths, random):
    waves = [speech_like(samples, seed) for seed, samples in enumerate(lengths)]
    order = random.sample(range(len(waves)), len(waves))
    together = codec.encode([waves[i] for i in order])
    heard = content.encode([waves[i] for i in order])
    for place, i in enumerate(order):
        assert same(together[place], codec.encode([waves[i]])[0])
        assert np.array_equal(heard[place], content.encode([waves[i]])[0])


def test_a_second_tokenizer_and_other_threads_give_the_same_tokens(codec):
    import torch

    wave = speech_like(48_000, 5)
    first = codec.encode([wave])[0]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = CompactCodec().encode([wave])[0]
    finally:
        torch.set_num_threads(before)
    assert same(first, again)


def test_voices_are_the_global_tokens_without_whisper(codec, monkeypatch):
    waves = [speech_like(samples, samples) for samples in (300, 16_000, 40_000)]
    expected = [tokens.global_ for tokens in codec.encode(waves)]
    monkeypatch.setattr("curation.tokenize.compact.codec.whisper_states", None)
    for found, wanted in zip(codec.voices(waves), expected, strict=True):
        assert np.array_equal(found, wanted)


@settings(max_examples=10, deadline=None)
@given(ids=st.lists(st.integers(0, 8191), max_size=60), speaker=st.lists(st.integers(0, 255), min_size=32, max_size=32))
def test_any_tokens_decode_to_320_finite_samples_each(codec, ids, speaker):
    tokens = CodecTokens(np.array(ids, np.int32), np.array(speaker, np.int32))
    wave = codec.decode([tokens])[0]
    assert wave.dtype == np.float32
    assert wave.shape == (320 * len(ids),)
    assert np.isfinite(wave).all()


def test_content_of_a_long_clip_is_that_of_its_30_s_chunks(codec, content):
    wave = speech_like(30 * SAMPLE_RATE + 4_000, 3)
    cut = 30 * SAMPLE_RATE
    whole = content.encode([wave])[0]
    assert np.array_equal(whole, np.concatenate(content.encode([wave[:cut], wave[cut:]])))
    assert len(codec.encode([wave])[0].semantic) == codec.num_semantic(len(wave))


def test_ids_out_of_range_are_refused(codec):
    with pytest.raises(ValueError, match="below 8192"):
        codec.decode([CodecTokens(np.array([8192], np.int32), np.zeros(32, np.int32))])
    with pytest.raises(ValueError, match="32 global"):
        codec.decode([CodecTokens(np.zeros(3, np.int32), np.zeros(31, np.int32))])


def test_fingerprint_follows_the_weights(codec, content, tmp_path):
    assert CompactCodec().fingerprint == codec.fingerprint
    tensors = load_weights(None, "compact_content.safetensors")
    tensors["codebook"] = tensors["codebook"].copy()
    save_weights(tmp_path, "compact_content.safetensors", tensors)
    assert CompactContent(tmp_path).fingerprint == content.fingerprint
    tensors["codebook"][0, 0] += 1
    save_weights(tmp_path, "compact_content.safetensors", tensors)
    assert CompactContent(tmp_path).fingerprint != content.fingerprint


@pytest.mark.parametrize(("cls", "file"), [(CompactContent, "compact_content"), (CompactCodec, "compact_codec")])
def test_shipped_file_that_was_changed_is_refused(cls, file, tmp_path, monkeypatch):
    path = tmp_path / f"{file}.safetensors"
    shutil.copy(weights.SHIPPED / path.name, path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    with pytest.raises(ValueError, match="SHA-256"):
        cls()


def test_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ValueError, match="curation tokenizer fit"):
        CompactCodec(tmp_path)
