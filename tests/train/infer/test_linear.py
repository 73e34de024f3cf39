"""All layouts multiply alike."""

import pytest
import torch

from curation.train.infer.linear import Int8Projection, Projection


@pytest.mark.parametrize("rows", [1, 2, 16, 33])
@pytest.mark.parametrize("shape", [(96, 32), (32, 96), (1, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_products_are_those_of_linear(rows, shape, dtype):
    torch.manual_seed(0)
    weight, x = torch.randn(shape, dtype=dtype), torch.randn(rows, shape[1], dtype=dtype)
    with torch.inference_mode():
        projection = Projection(weight)
        torch.testing.assert_close(projection(x), torch.nn.functional.linear(x, weight))
    assert projection.size == weight.numel()


@pytest.mark.parametrize("rows", [1, 2, 16])
@pytest.mark.parametrize("shape", [(96, 32), (32, 512), (2, 5)])
def test_products_in_8_bits_are_near_and_no_row_touches_another(rows, shape):
    torch.manual_seed(0)
    weight = torch.randn(shape) * torch.logspace(-3, 3, shape[0])[:, None]
    x = torch.randn(rows, shape[1]) * torch.logspace(-2, 4, rows)[:, None]
    x[-1] = 0
    with torch.inference_mode():
        projection = Int8Projection(weight)
        out = projection(x)
        exact = torch.nn.functional.linear(x, weight)
        near = 0.02 * weight.norm(dim=1) * x.norm(dim=1, keepdim=True)
        assert ((out - exact).abs() <= near).all()
        assert torch.equal(out, torch.cat([projection(row[None]) for row in x]))
        assert torch.equal(torch.cat(projection.halves(x), dim=1), out)
    assert projection.size == weight.numel()


def test_a_matrix_of_zeros_stays_one_in_8_bits():
    with torch.inference_mode():
        assert torch.equal(Int8Projection(torch.zeros(4, 8))(torch.ones(1, 8)), torch.zeros(1, 4))
