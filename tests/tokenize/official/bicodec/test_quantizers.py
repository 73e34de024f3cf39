"""The quantisers of BiCodec: codes and vectors belong together, and doubtful ones are marked."""

import pytest
import torch
from torch.nn import functional

from curation.tokenize.official.bicodec.quantizers import FSQ_TIE, FactorizedQuantizer, ScalarQuantizer


@pytest.mark.parametrize("levels", [(4, 4, 4), (5, 3), (8, 5, 4)])
def test_every_scalar_code_is_found_again(levels):
    quantizer = ScalarQuantizer(len(levels), levels)
    ids = torch.arange(quantizer.size)
    scalars = quantizer.codes(ids)
    assert len(torch.unique(scalars, dim=0)) == quantizer.size
    assert scalars.min() >= -1
    assert scalars.max() <= 1
    places = scalars * torch.tensor([size // 2 for size in levels])
    found, certain = quantizer.ids(places)
    assert torch.equal(found, ids)
    assert certain.all()
    assert torch.equal(quantizer.vectors(ids), scalars)


def test_bounded_values_always_have_a_code():
    quantizer = ScalarQuantizer(2, (4, 5))
    x = torch.linspace(-30, 30, 601)[:, None].repeat(1, 2)
    ids, _ = quantizer.ids(quantizer.bound(x))
    assert ids.min() >= 0
    assert ids.max() < quantizer.size
    assert set(quantizer.codes(ids)[:, 0].tolist()) == {-1.0, -0.5, 0.0, 0.5}
    assert len(set(quantizer.codes(ids)[:, 1].tolist())) == 5


def test_a_value_between_two_levels_is_not_certain():
    quantizer = ScalarQuantizer(1, (5,))
    _, certain = quantizer.ids(torch.tensor([[0.5], [0.5 - FSQ_TIE / 2], [0.4], [1.0]]))
    assert certain.tolist() == [False, False, True, True]


def test_the_code_is_the_nearest_by_angle_and_its_vector_keeps_its_length():
    torch.manual_seed(0)
    quantizer = FactorizedQuantizer(6, 50, 6)
    z = torch.randn(2, 9, 6)
    ids, _ = quantizer.ids(quantizer.project(z))
    codes = quantizer.codebook.weight.detach()
    angles = functional.normalize(z, dim=-1) @ functional.normalize(codes, dim=-1).T
    assert torch.equal(ids, angles.argmax(-1))
    assert torch.equal(ids, quantizer.ids(quantizer.project(9 * z))[0])
    torch.testing.assert_close(quantizer.vectors(ids), codes[ids])
