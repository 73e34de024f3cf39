"""All layouts multiply alike."""

import os
import subprocess
import sys

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


OLD_CPU = """
import torch
from curation.train.infer.linear import Int8Projection
torch.manual_seed(0)
for weight, x in ((torch.ones(4, 8), torch.ones(1, 8)), (torch.randn(64, 256), torch.randn(3, 256) + 1)):
    exact = torch.nn.functional.linear(x, weight)
    print(float((Int8Projection(weight)(x) - exact).norm() / exact.norm()))
"""


def test_products_in_8_bits_are_near_too_where_a_cpu_adds_two_of_them_in_16_bits():
    """Without VNNI: what is more than 16 bits hold would be cut off, and 8 would be 0.06."""
    environment = {**os.environ, "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2"}
    done = subprocess.run([sys.executable, "-c", OLD_CPU], env=environment, capture_output=True, text=True, check=True)
    assert max(map(float, done.stdout.split())) < 0.02
