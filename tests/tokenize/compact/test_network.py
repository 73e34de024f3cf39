"""The quantiser and the reach of the compact codec's network."""

import numpy as np
import pytest
import torch

from curation.tokenize.compact.network import FRAME_SIZE, CodecNet, ScalarQuantizer

LEVELS = (8, 4, 3)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CodecNet(LEVELS, dim=16).eval()


def test_every_code_is_its_own_point_and_is_found_again():
    quantizer = ScalarQuantizer(LEVELS)
    codes = torch.arange(8 * 4 * 3)
    values = quantizer.values(codes)
    assert len(torch.unique(values, dim=0)) == len(codes)
    assert values.abs().max() == 1
    assert torch.equal(quantizer.ids(torch.atanh(values.clamp(-0.999, 0.999))), codes)


def test_quantised_values_are_those_of_the_codes_and_pass_the_gradient_of_tanh():
    quantizer = ScalarQuantizer(LEVELS)
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    quantised = quantizer(x)
    torch.testing.assert_close(quantised.detach(), quantizer.values(quantizer.ids(x)))
    quantised.sum().backward()
    torch.testing.assert_close(x.grad, 1 - x.detach().tanh().square())


def test_rounding_goes_to_the_nearest_level():
    quantizer = ScalarQuantizer((5,))
    wanted = torch.linspace(-0.99, 0.99, 41)
    found = quantizer(torch.atanh(wanted)[:, None])[:, 0]
    assert (found - wanted).abs().max() <= 0.25 + 1e-6


def test_a_token_reaches_exactly_as_far_as_is_said(network):
    code = torch.zeros(1, 61, len(LEVELS))
    speaker = torch.zeros(1, 32)
    changed = code.clone()
    changed[0, 30] += 1
    with torch.inference_mode():
        before, after = (network.decode(one, speaker)[0][0] for one in (code, changed))
    touched = np.flatnonzero((before - after).abs().amax(dim=1).numpy() > 0)
    assert touched.min() == 30 - network.reach
    assert touched.max() == 30 + network.reach
    assert before.shape == (61, FRAME_SIZE)
