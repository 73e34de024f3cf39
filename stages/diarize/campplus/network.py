"""The network of CAM++: mel filter banks -> 192 numbers that are near to one another for the same voice.

Convolutions over time and frequency (`head`), then a densely connected time-delay network in three blocks, each layer
masked by what it hears around it, then mean and deviation over time. Source: Wang et al. 2023, "CAM++: A fast and
efficient network for speaker verification using context-aware masking" (arXiv 2303.00332). The layers have the names
that they have in the checkpoints of 3D-Speaker, whose own class gives the same numbers.
"""

from collections import OrderedDict
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, relu

from curation.models.safe_load import Trust, load_checkpoint

MELS = 80
DIMENSION = 192
GROWTH = 32
"""Channels that each layer of a block adds."""
BOTTLENECK = 128
BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each block."""
CONTEXT = 100
"""Frames, after the first layer halves them, over which the mask looks: 2 s."""


class CamPlusPlus(nn.Module):
    """(batch, frames, 80) mel filter banks less their mean over time -> (batch, 192)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 128
        layers["tdnn"] = Tdnn(Head.channels, channels)
        for number, (depth, dilation) in enumerate(BLOCKS, 1):
            layers[f"block{number}"] = Block(channels, depth, dilation)
            channels += depth * GROWTH
            layers[f"transit{number}"] = Transit(channels, channels // 2)
            channels //= 2
        layers["out_nonlinear"] = normalized(channels)
        layers["stats"] = Statistics()
        layers["dense"] = Dense(2 * channels)
        self.xvector = nn.Sequential(layers)

    @classmethod
    def load(cls, path: Path) -> "CamPlusPlus":
        """From 3D-Speaker's checkpoint. Raises RuntimeError where the weights do not fit, ModelError for code."""
        model = cls()
        model.load_state_dict(load_checkpoint(path, Trust(setting="diarize")))
        return model.eval()

    def forward(self, mel: Tensor) -> Tensor:
        """Embeddings; only their direction counts."""
        return cast("Tensor", self.xvector(self.head(mel.mT)))


def normalized(channels: int, *, affine: bool = True, active: bool = True) -> nn.Sequential:
    """Batch normalisation of (batch, channels, frames), then ReLU unless not `active`."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(batchnorm=nn.BatchNorm1d(channels, affine=affine))
    if active:
        layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


class Head(nn.Module):
    """(batch, 80, frames) -> (batch, 320, frames): convolutions over mel and time, 32 channels for each of 10 bands."""

    channels = 32 * MELS // 8

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.layer1 = nn.Sequential(Residual(2), Residual(1))
        self.layer2 = nn.Sequential(Residual(2), Residual(1))
        self.conv2 = nn.Conv2d(32, 32, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)

    def forward(self, mel: Tensor) -> Tensor:
        """The channels of all bands, side by side."""
        x = relu(self.bn1(self.conv1(mel[:, None])))
        x = relu(self.bn2(self.conv2(self.layer2(self.layer1(x)))))
        return x.flatten(1, 2)


class Residual(nn.Module):
    """Two convolutions (batch, 32, bands, frames) with a shortcut; `stride` is along the bands."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(32, 32, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        down = [nn.Conv2d(32, 32, 1, stride=(stride, 1), bias=False), nn.BatchNorm2d(32)]
        self.shortcut = nn.Sequential(*(down if stride > 1 else []))

    def forward(self, x: Tensor) -> Tensor:
        """As it came, plus what the convolutions find."""
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class Tdnn(nn.Module):
    """A convolution over time that halves it."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(channels, out, 5, stride=2, padding=2, bias=False)
        self.nonlinear = normalized(out)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, out, frames / 2)."""
        return cast("Tensor", self.nonlinear(self.linear(x)))


class Block(nn.ModuleDict):
    """Layers that each see the output of all before them."""

    def __init__(self, channels: int, depth: int, dilation: int) -> None:
        super().__init__({f"tdnnd{i + 1}": MaskedLayer(channels + i * GROWTH, dilation) for i in range(depth)})

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels + 32 depth, frames)."""
        for layer in self.values():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class MaskedLayer(nn.Module):
    """A bottleneck, then a masked convolution of 32 channels."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = normalized(channels)
        self.linear1 = nn.Conv1d(channels, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = normalized(BOTTLENECK)
        self.cam_layer = ContextMask(dilation)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 32, frames)."""
        return cast("Tensor", self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x)))))


class ContextMask(nn.Module):
    """A convolution, masked by the mean of the whole and of the 2 s around."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(BOTTLENECK, GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(BOTTLENECK, BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK // 2, GROWTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 32, frames)."""
        around = avg_pool1d(x, CONTEXT, CONTEXT, ceil_mode=True).repeat_interleave(CONTEXT, dim=-1)[..., : x.shape[-1]]
        mask = self.linear2(relu(self.linear1(x.mean(-1, keepdim=True) + around)))
        return cast("Tensor", self.linear_local(x) * torch.sigmoid(mask))


class Transit(nn.Module):
    """Halves the channels after a block."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.nonlinear = normalized(channels)
        self.linear = nn.Conv1d(channels, out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, out, frames)."""
        return cast("Tensor", self.linear(self.nonlinear(x)))


class Statistics(nn.Module):
    """Mean and standard deviation over time, (batch, 2 channels, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        """Zero deviation of one frame."""
        spread = x.std(dim=-1, keepdim=True) if x.shape[-1] > 1 else torch.zeros_like(x)
        return torch.cat([x.mean(dim=-1, keepdim=True), spread], dim=1)


class Dense(nn.Module):
    """The embedding (batch, 192)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(channels, DIMENSION, 1, bias=False)
        self.nonlinear = normalized(DIMENSION, affine=False, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """Of the statistics."""
        return cast("Tensor", self.nonlinear(self.linear(x)).squeeze(-1))
