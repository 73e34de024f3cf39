"""What the fitting of the codec minimises."""

import numpy as np
import pytest
import torch

from curation.tokenize.compact.codec import ClipFeatures
from curation.tokenize.compact.network import FRAME_SIZE, CodecNet
from curation.tokenize.fit.codec import Batch, ClipPair, codec_tensors, training_loss
from curation.tokenize.fit.settings import LEVELS, FitSettings


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CodecNet(LEVELS[256], dim=16)


def batch(tokens=12, valid=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(2, 1, tokens, 384, generator=generator)
    rows = torch.randn(2, 1, tokens, FRAME_SIZE, generator=generator)
    rows[..., -2:] = (rows[..., -2:] > 0).float()
    mask = (torch.arange(tokens)[None] < valid).float()
    return Batch(states, rows, torch.randn(1, 32, generator=generator), mask)


def test_padding_does_not_count(network):
    """A network with blocks over 7 tokens sees padding, so the tokens near it are compared far from it."""
    plain, other = batch(40, 10), batch(40, 10)
    other.rows[:, :, 30:] = 7.0
    other.states[:, :, 30:] = -7.0
    torch.testing.assert_close(training_loss(network, other, 0.5), training_loss(network, plain, 0.5))
    other.rows[:, :, 5] = 7.0
    assert float(training_loss(network, other, 0.5)) > float(training_loss(network, plain, 0.5))


def test_consistency_costs_nothing_for_equal_copies_and_grows_with_their_distance(network):
    one = batch()
    equal = Batch(one.states[:1].repeat(2, 1, 1, 1), one.rows[:1].repeat(2, 1, 1, 1), one.speaker, one.mask)
    torch.testing.assert_close(training_loss(network, equal, 1.0), training_loss(network, equal, 0.0))
    base, half, whole = (float(training_loss(network, one, weight)) for weight in (0.0, 0.5, 1.0))
    assert base < half < whole
    assert half - base == pytest.approx(whole - half, rel=1e-3)


def test_pitch_counts_only_where_there_is_voice(network):
    one = batch()
    one.rows[0, ..., -2:] = 0.0
    silent = float(training_loss(network, one, 0.0))
    with torch.no_grad():
        network.frames_out.bias[-4:-2] += 3.0  # another pitch everywhere
        try:
            assert float(training_loss(network, one, 0.0)) == pytest.approx(silent, rel=1e-5)
            one.rows[0, ..., -2:] = 1.0
            wrong = float(training_loss(network, one, 0.0))
        finally:
            network.frames_out.bias[-4:-2] -= 3.0
        assert float(training_loss(network, one, 0.0)) < wrong


def test_a_fit_gives_what_the_tokenizer_needs_and_the_same_again():
    """Without the head that only training has."""
    random = np.random.default_rng(0)

    def features(tokens):
        mel = random.normal(-4, 1, (2 * tokens, 64)).astype(np.float32)
        return ClipFeatures(
            random.standard_normal((tokens, 384)).astype(np.float32),
            mel,
            np.full(2 * tokens, 5.0, np.float32),
            random.random(2 * tokens) < 0.5,
        )

    clips = [features(30) for _ in range(4)]
    settings = FitSettings(codes=256, steps=8, batch=4, crop=20, learning_rate=5e-3, consistency=0.0)
    seen = []
    tensors = codec_tensors(
        [ClipPair(clip, clip) for clip in clips], settings, lambda what, share: seen.append((what, share))
    )
    assert seen[-1] == ("codec", 1.0)
    assert not [name for name in tensors if "states_out" in name]
    assert tensors["levels"].tolist() == list(LEVELS[256])
    again = codec_tensors([ClipPair(clip, clip) for clip in clips], settings, lambda *_: None)
    assert all(np.array_equal(tensors[name], again[name]) for name in tensors)
