"""A weight matrix in the fastest layouts for a CPU.

Measured on one core (Zen 4, float32) for the shapes of GPA's 0.3B, where torch's `linear` takes 1: a single row times
the transposed matrix takes 0.5 where there are more outputs than inputs, and oneDNN's blocked layout 0.4 to 0.6 for
2 to 40 rows (tests/bench/speed/generation.py shows the whole). Both are kept, so that the weights take their memory
twice. Elsewhere, and in other precisions, it is `linear`.

In 8 bits a matrix takes a quarter of its memory, once, and a product less time, because it is reading memory that a CPU
spends its time with.
"""

import warnings
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the customary name

INT8_LIMIT = 127
UNSATURATED = 63
"""As many steps that a product of x takes no more than half of 16 bits, in which CPUs without VNNI add two of them."""
SMALLEST = torch.finfo(torch.float32).tiny
ROWS = 16
"""Rows that the blocked layout is chosen for; it serves any number."""


class Projection:
    """x (rows, inputs) -> (rows, outputs) by a weight (outputs, inputs)."""

    def __init__(self, weight: Tensor) -> None:
        self.size = weight.numel()
        self.blocked: Tensor | None = None
        self.single, self.is_transposed = weight, False
        if weight.device.type == "cpu" and weight.dtype == torch.float32 and torch.backends.mkldnn.enabled:
            self.blocked = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)  # noqa: SLF001 - no other way
            if weight.shape[0] > weight.shape[1]:
                self.single, self.is_transposed = weight.t().contiguous(), True

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply. Compiled, a single row becomes a sum, which is fused with what stands before and behind it."""
        if self.blocked is not None and len(x) > 1:
            out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.blocked, None, "none", [], "")  # noqa: SLF001
            return out
        if torch.compiler.is_compiling() and len(x) == 1:
            return _row(x, self.single)
        return x @ self.single if self.is_transposed else F.linear(x, self.single)

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply; the first and the second half of the outputs."""
        if torch.compiler.is_compiling() and len(x) == 1:  # as two sums, which go into one kernel with their product
            first, second = self.single.chunk(2)
            return _row(x, first), _row(x, second)
        first, second = self(x).chunk(2, dim=-1)
        return first, second


class Int8Projection(Projection):
    """The same by whole numbers of 8 bits, with a scale for each output, and one for each row of x, so that no row
    depends on those beside it. Rounding is 1 % of the norm of the outputs of a random matrix.

    torch's kernel of x86 (fbgemm). Its packing begins at a tensor of a kind that torch 2.13 deprecates; oneDNN's kernel
    for plain int8 tensors gives the same numbers, and takes longer (tests/bench/learning/products.py).
    """

    def __init__(self, weight: Tensor) -> None:
        self.size = weight.numel()
        self.packed, self.steps = _packed(weight), _steps()

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply, in float32."""
        top = x.abs().amax(1, keepdim=True).clamp_min(SMALLEST)
        return _rounded_product(x / top, self.packed, self.steps) * top

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply; the first and the second half of the outputs."""
        first, second = self(x).chunk(2, dim=-1)
        return first, second


def _packed(weight: Tensor) -> torch.ScriptObject:
    scales = (weight.float().abs().amax(1) / INT8_LIMIT).clamp_min(SMALLEST)
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor")
        rounded = torch.quantize_per_channel(weight.float(), scales, zeros, 0, torch.qint8)
    found: torch.ScriptObject = torch.ops.quantized.linear_prepack(rounded, None)
    return found


def _rounded_product(x: Tensor, packed: torch.ScriptObject, steps: int) -> Tensor:
    """Of x in -1 ... 1, rounded to so many steps on each side of 0."""
    product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
    out: Tensor = product(x, 1 / steps, steps + 1, packed)
    return out


@cache
def _steps() -> int:
    """The finest rounding of x with which the CPU multiplies two greatest numbers by two greatest ones rightly."""
    ones = torch.ones(1, 2)
    is_right = float(_rounded_product(ones, _packed(ones), INT8_LIMIT)) > 1
    return INT8_LIMIT if is_right else UNSATURATED


def _row(x: Tensor, weight: Tensor) -> Tensor:
    return (x * weight).sum(1, dtype=torch.promote_types(x.dtype, torch.float32)).to(x.dtype)[None]
