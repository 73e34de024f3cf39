"""A weight matrix in the fastest layouts for a CPU.

Measured on one core (Zen 4, float32) for the shapes of GPA's 0.3B, where torch's `linear` takes 1: a single row times
the transposed matrix takes 0.5 where there are more outputs than inputs, and oneDNN's blocked layout 0.4 to 0.6 for
2 to 40 rows (tests/bench/speed/generation.py shows the whole). Both are kept, so that the weights take their memory
twice. Elsewhere, and in other precisions, it is `linear`.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the customary name

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


def _row(x: Tensor, weight: Tensor) -> Tensor:
    return (x * weight).sum(1, dtype=torch.promote_types(x.dtype, torch.float32)).to(x.dtype)[None]
