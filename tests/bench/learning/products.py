"""One product of a matrix in 8 bits: `python -m tests.bench.learning.products [--repeats 5]`

For shapes of GPA's 0.3B, microseconds of CPU on one thread, the best of the repeats: torch's `linear` in float32, ours
(fbgemm's kernel, with a scale for each row), and oneDNN's kernel for plain int8 tensors, with the same scales. Then the
error of a row of random numbers, as a part of its norm: ours, and with one scale for all rows, as torch's own dynamic
quantisation has it, for a row that is a hundredth of the largest one. `FBGEMM_ENABLE_INSTRUCTIONS=AVX2` before it shows
the error of ours on a CPU without VNNI.
"""

import argparse
import time

import torch
from torch import nn

from curation.train.infer.linear import INT8_LIMIT, SMALLEST, Int8Projection

SHAPES = ((4096, 512), (512, 2048), (6144, 512), (512, 3072))
ROWS = (1, 16)
CALLS = 50


def one_dnn(weight):
    """The product by oneDNN, with a scale for each row of x."""
    scales = weight.abs().amax(1) / INT8_LIMIT
    rounded = (weight / scales[:, None]).round().to(torch.int8)
    packed, zeros = torch.ops.onednn.qlinear_prepack(rounded, None), torch.zeros(len(weight)).int()

    def product(x):
        top = x.abs().amax(1, keepdim=True).clamp_min(SMALLEST)
        steps = (x / top * INT8_LIMIT + INT8_LIMIT + 1).round().to(torch.uint8)
        out = torch.ops.onednn.qlinear_pointwise(
            steps, 1 / INT8_LIMIT, INT8_LIMIT + 1, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return out * top

    return product


def microseconds(product, x, repeats):
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(CALLS):
            product(x)
        best = min(best, (time.process_time() - start) / CALLS)
    return best * 1e6


def error(found, exact):
    return float((found - exact).norm() / exact.norm())


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("outputs x inputs  rows   linear  fbgemm  oneDNN   error  with one scale")
    for outputs, inputs in SHAPES:
        weight = torch.randn(outputs, inputs)
        ours, other = Int8Projection(weight), one_dnn(weight)
        library = nn.Linear(inputs, outputs, bias=False)
        library.weight.copy_(weight)
        dynamic = torch.ao.quantization.quantize_dynamic(nn.Sequential(library), {nn.Linear})
        for rows in ROWS:
            x = torch.randn(rows, inputs)
            times = [microseconds(product, x, arguments.repeats) for product in (library, ours, other)]
            exact, uneven = library(x), torch.cat([x[:1] / 100, x])
            assert error(other(x), ours(x)) < 0.05
            lost = error(dynamic(uneven)[0], library(uneven)[0])
            print(
                f"{outputs:7} x {inputs:<6} {rows:5} {times[0]:8.0f} {times[1]:7.0f} {times[2]:7.0f} "
                f"{error(ours(x), exact):7.2%} {lost:15.0%}"
            )


if __name__ == "__main__":
    main()
