"""All layouts multiply alike."""

import pytest
import torch

from curation.train.infer.linear import Projection


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
