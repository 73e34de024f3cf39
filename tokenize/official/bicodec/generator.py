"""The wave generator of BiCodec (as in the Descript Audio Codec, arXiv 2306.06546), and how far a token reaches.

Attribute names are those of the official checkpoint. `lengths` as in bicodec_backbone.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from curation.tokenize.official.bicodec.backbone import masked
from curation.tokenize.official.checkpoints import weight_normed

DILATIONS = (1, 3, 9)


class Snake(nn.Module):
    """x + sin²(alpha·x) / alpha."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.empty(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Compute on (batch, channels, time)."""
        wave = (self.alpha * x).sin_().square_()  # in place: these arrays are the largest of the codec
        return torch.addcmul(x, wave, (self.alpha + 1e-9).reciprocal())


class ResidualUnit(nn.Module):
    """x + convolution(Snake(dilated convolution(Snake(x))))."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        dilated = nn.Conv1d(channels, channels, 7, padding=3 * dilation, dilation=dilation)
        self.block = nn.Sequential(
            Snake(channels), weight_normed(dilated), Snake(channels), weight_normed(nn.Conv1d(channels, channels, 1))
        )

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Compute on (batch, channels, time)."""
        first, dilated, second, pointwise = self.block
        return torch.add(x, pointwise(second(dilated(masked(first(x), lengths)))))


class UpsamplingBlock(nn.Module):
    """Snake, transposed convolution by `rate`, residual units."""

    def __init__(self, source: int, target: int, kernel: int, rate: int) -> None:
        super().__init__()
        self.rate = rate
        transposed = nn.ConvTranspose1d(source, target, kernel, rate, padding=(kernel - rate) // 2)
        units = (ResidualUnit(target, dilation) for dilation in DILATIONS)
        self.block = nn.Sequential(Snake(source), weight_normed(transposed), *units)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Compute (batch, source, time) -> (batch, target, rate·time), and the new lengths."""
        snake, transposed, *units = self.block
        x = transposed(masked(snake(x), lengths))
        lengths = None if lengths is None else lengths * self.rate
        for unit in units:
            x = unit(x, lengths)
        return x, lengths


class WaveGenerator(nn.Module):
    """Frames to samples; channels halve with every upsampling block."""

    def __init__(self, input_channel: int, channels: int, rates: Sequence[int], kernel_sizes: Sequence[int]) -> None:
        super().__init__()
        if any(kernel < rate or (kernel - rate) % 2 for kernel, rate in zip(kernel_sizes, rates, strict=True)):
            msg = f"decoder.kernel_sizes {list(kernel_sizes)} do not fit decoder.rates {list(rates)}"
            raise ValueError(msg)
        widths = [channels // 2**i for i in range(len(rates) + 1)]
        blocks = map(UpsamplingBlock, widths, widths[1:], kernel_sizes, rates)
        self.rate = math.prod(rates)
        self.model = nn.Sequential(
            weight_normed(nn.Conv1d(input_channel, channels, 7, padding=3)),
            *blocks,
            Snake(widths[-1]),
            weight_normed(nn.Conv1d(widths[-1], 1, 7, padding=3)),
        )

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Generate (batch, input_channel, time) -> (batch, rate·time)."""
        first, *blocks, snake, last = self.model
        x = first(masked(x, lengths))
        for block in blocks:
            x, lengths = block(x, lengths)
        wave: Tensor = last(masked(snake(x), lengths))
        return torch.tanh(wave)[:, 0]


def reach(modules: Sequence[nn.Module], samples_per_token: int) -> tuple[int, int]:
    """Find how many tokens before and after its own a token's samples depend on: (67, 67) at the official sizes.

    The interval of one token's samples is followed back through every convolution of `modules`, which hold them in
    the order of computation; side branches (residuals, repeated frames) never reach further.
    """
    low, high = 0, samples_per_token - 1
    convolutions = [m for module in modules for m in module.modules() if isinstance(m, nn.Conv1d | nn.ConvTranspose1d)]
    for conv in reversed(convolutions):
        span, stride, padding = (conv.kernel_size[0] - 1) * conv.dilation[0], conv.stride[0], int(conv.padding[0])
        if isinstance(conv, nn.ConvTranspose1d):
            low, high = -((span - padding - low) // stride), (high + padding) // stride
        else:
            low, high = low * stride - padding, high * stride - padding + span
    return -low, high
