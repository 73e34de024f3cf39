from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.tokenize.files import find_weights
from curation.tokenize.official.batching import check_wave, length_buckets, nearest, run_buckets
from curation.tokenize.official.checkpoints import exact_float32, fingerprint


@given(lengths=st.lists(st.integers(0, 500), max_size=40), budget=st.integers(1, 2000))
def test_buckets_hold_every_index_once_within_the_budget(lengths, budget):
    buckets = length_buckets(lengths, budget)
    assert sorted(index for bucket in buckets for index in bucket) == list(range(len(lengths)))
    for bucket in buckets:
        longest = max(lengths[index] for index in bucket)
        assert len(bucket) == 1 or longest * len(bucket) <= budget
        assert min(lengths[index] for index in bucket) >= 0.85 * longest


def test_an_uncertain_result_is_taken_from_the_clip_alone():
    calls = []

    def compute(items):
        calls.append(items)
        return [(f"{item} of {len(items)}", item != "b") for item in items]

    assert run_buckets("abc", [5, 5, 5], 100, compute) == ["a of 3", "b of 1", "c of 3"]
    assert calls == [["a", "b", "c"], ["b"]]
    assert run_buckets("b", [5], 100, compute) == ["b of 1"]
    assert len(calls) == 3


@settings(max_examples=30)
@given(seed=st.integers(0, 2**16), scale=st.sampled_from([0.01, 1.0, 100.0]))
def test_nearest_code_and_whether_rounding_could_change_it(seed, scale):
    rng = torch.Generator().manual_seed(seed)
    codes = torch.randn(64, 16, generator=rng)
    vectors = torch.randn(2, 30, 16, generator=rng) * scale
    ids, certain = nearest(vectors, codes)
    distances = torch.cdist(vectors.double(), codes.double()).square()
    agree = ids == distances.argmin(-1)
    assert agree[certain].all()
    assert certain.float().mean() > 0.95


def test_a_tie_is_not_certain():
    codes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    ids, certain = nearest(torch.tensor([[0.5, 0.5], [0.5, 0.500001], [0.9, 0.1]]), codes)
    assert certain.tolist() == [False, False, True]
    assert ids[2] == 0


def test_waves_are_made_contiguous_float32():
    wave = check_wave(np.arange(10, dtype=np.float64)[::2], 3, "x")
    assert wave.dtype == np.float32
    assert wave.flags.c_contiguous


def test_settings_of_the_caller_neither_matter_nor_change():
    torch.set_float32_matmul_precision("medium")
    try:
        with exact_float32():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
            assert torch.is_inference_mode_enabled()
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_settings_outlast_blocks_of_threads_that_overlap():
    """The first to enter leaves before the second does."""
    torch.set_float32_matmul_precision("medium")
    first, second = ExitStack(), ExitStack()
    try:
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
            one.submit(first.enter_context, exact_float32()).result()
            two.submit(second.enter_context, exact_float32()).result()
            one.submit(first.close).result()
            assert torch.get_float32_matmul_precision() == "highest"
            two.submit(second.close).result()
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_safetensors_are_preferred_and_fingerprints_follow_contents(tmp_path):
    for name in ("pytorch_model.bin", "model.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    assert find_weights(tmp_path).name == "model.safetensors"
    before = fingerprint("a", [tmp_path / "model.safetensors"])
    assert before != fingerprint("b", [tmp_path / "model.safetensors"])
    (tmp_path / "model.safetensors").write_bytes(b"y")
    assert before != fingerprint("a", [tmp_path / "model.safetensors"])
    with pytest.raises(ValueError, match="no weights"):
        find_weights(tmp_path / "nothing")
