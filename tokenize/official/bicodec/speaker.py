"""The speaker encoder of BiCodec: mel -> ECAPA-TDNN -> Perceiver -> 32 global tokens, and back to a d-vector.

ECAPA-TDNN: arXiv 2005.07143 (512 channels, relu before batch norm, as in WeSpeaker). Perceiver resampler: arXiv
2204.14198. Attribute names are those of the official checkpoint; sizes that its configuration does not give are the
constants here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.tokenize.official.bicodec.quantizers import ScalarQuantizer

CHANNELS, LATENT_CHANNELS, RES2_SCALE, BOTTLENECK = 512, 1536, 8, 128
DEPTH, HEADS, HEAD_DIM, INNER_FACTOR = 2, 8, 64, 8 / 3


class ConvReluNorm(nn.Module):
    """Convolution, relu, batch norm."""

    def __init__(self, source: int, target: int, kernel: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(source, target, kernel, padding=kernel // 2)
        self.bn = nn.BatchNorm1d(target)

    def forward(self, x: Tensor) -> Tensor:
        """Compute (batch, source, time) -> (batch, target, time)."""
        normed: Tensor = self.bn(F.relu(self.conv(x)))
        return normed


class Res2Conv(nn.Module):
    """All but the last of eight channel groups pass a dilated convolution; each adds the one before."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.width = channels // RES2_SCALE
        width, groups = self.width, range(RES2_SCALE - 1)
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation) for _ in groups)
        self.bns = nn.ModuleList(nn.BatchNorm1d(width) for _ in groups)

    def forward(self, x: Tensor) -> Tensor:
        """Compute on (batch, channels, time)."""
        *groups, last = torch.split(x, self.width, dim=1)
        results: list[Tensor] = []
        for group, conv, bn in zip(groups, self.convs, self.bns, strict=True):
            results.append(bn(F.relu(conv(results[-1] + group if results else group))))
        return torch.cat([*results, last], dim=1)


class SqueezeExcite(nn.Module):
    """Channels scaled by a gate that sees their mean over time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(channels, BOTTLENECK)
        self.linear2 = nn.Linear(BOTTLENECK, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Compute on (batch, channels, time)."""
        return x * torch.sigmoid(self.linear2(F.relu(self.linear1(x.mean(dim=2)))))[..., None]


class SeRes2Block(nn.Module):
    """Residual block of ECAPA-TDNN."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.se_res2block = nn.Sequential(
            ConvReluNorm(channels, channels),
            Res2Conv(channels, dilation),
            ConvReluNorm(channels, channels),
            SqueezeExcite(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute on (batch, channels, time)."""
        return torch.add(x, self.se_res2block(x))


class Ecapa(nn.Module):
    """ECAPA-TDNN up to its frame-level latent; `pool`, `bn`, `linear` (the x-vector) are loaded and then dropped."""

    def __init__(self, mels: int, out_dim: int) -> None:
        super().__init__()
        self.layer1 = ConvReluNorm(mels, CHANNELS, 5)
        self.layer2, self.layer3, self.layer4 = (SeRes2Block(CHANNELS, dilation) for dilation in (2, 3, 4))
        self.conv = nn.Conv1d(3 * CHANNELS, LATENT_CHANNELS, 1)
        attention = {
            "linear1": nn.Conv1d(3 * LATENT_CHANNELS, BOTTLENECK, 1),
            "linear2": nn.Conv1d(BOTTLENECK, LATENT_CHANNELS, 1),
        }
        self.pool = nn.ModuleDict(attention)
        self.bn = nn.BatchNorm1d(2 * LATENT_CHANNELS)
        self.linear = nn.Linear(2 * LATENT_CHANNELS, out_dim)

    def drop_unused(self) -> None:
        """Forget, once loaded, the x-vector branch."""
        del self.pool, self.bn, self.linear

    def forward(self, mel: Tensor) -> Tensor:
        """Compute (batch, mels, time) -> (batch, 1536, time)."""
        second = self.layer2(self.layer1(mel))
        third = self.layer3(second)
        return F.relu(self.conv(torch.cat([second, third, self.layer4(third)], dim=1)))


class Attention(nn.Module):
    """Latents attend to the context and to themselves."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.to_q = nn.Linear(dim, HEADS * HEAD_DIM, bias=False)
        self.to_kv = nn.Linear(dim, 2 * HEADS * HEAD_DIM, bias=False)
        self.to_out = nn.Linear(HEADS * HEAD_DIM, dim, bias=False)

    def forward(self, latents: Tensor, context: Tensor) -> Tensor:
        """Compute latents (batch, n, dim), context (batch, time, dim) -> (batch, n, dim)."""
        keys_values = self.to_kv(torch.cat([latents, context], dim=1)).chunk(2, dim=-1)
        parts = (part.unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2) for part in (self.to_q(latents), *keys_values))
        attended: Tensor = self.to_out(F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2))
        return attended


class Geglu(nn.Module):
    """First half times GELU of the second half."""

    def forward(self, x: Tensor) -> Tensor:
        """Compute (..., 2·n) -> (..., n)."""
        value, gate = x.chunk(2, dim=-1)
        return value * F.gelu(gate)


class RmsNorm(nn.Module):
    """x / ‖x‖ · sqrt(dim) · gamma."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Compute on (..., dim)."""
        return torch.mul(F.normalize(x, dim=-1) * x.shape[-1] ** 0.5, self.gamma)


class Perceiver(nn.Module):
    """A fixed number of latent vectors that read the whole clip."""

    def __init__(self, dim: int, context_dim: int, latents: int) -> None:
        super().__init__()
        self.proj_context = nn.Identity() if context_dim == dim else nn.Linear(context_dim, dim)
        self.latents = nn.Parameter(torch.empty(latents, dim))
        inner = int(dim * INNER_FACTOR)
        self.layers = nn.ModuleList(
            nn.ModuleList([Attention(dim), nn.Sequential(nn.Linear(dim, 2 * inner), Geglu(), nn.Linear(inner, dim))])
            for _ in range(DEPTH)
        )
        self.norm = RmsNorm(dim)

    def forward(self, context: Tensor) -> Tensor:
        """Compute (batch, time, context_dim) -> (batch, latents, dim)."""
        context = self.proj_context(context)
        x = self.latents.expand(len(context), -1, -1)
        for layer in self.layers:
            attention, feed_forward = layer.children()
            x = x + attention(x, context)
            x = x + feed_forward(x)
        normed: Tensor = self.norm(x)
        return normed


class SpeakerEncoder(nn.Module):
    """Mel of the reference clip <-> global tokens -> d-vector."""

    def __init__(
        self,
        input_dim: int,
        out_dim: int,
        latent_dim: int,
        token_num: int,
        fsq_levels: Sequence[int],
        fsq_num_quantizers: int = 1,
    ) -> None:
        super().__init__()
        if fsq_num_quantizers != 1:
            msg = (
                f"speaker_encoder.fsq_num_quantizers is {fsq_num_quantizers}: only 1, as in the releases, is supported"
            )
            raise ValueError(msg)
        self.speaker_encoder = Ecapa(input_dim, out_dim)
        self.perceiver_sampler = Perceiver(latent_dim, LATENT_CHANNELS, token_num)
        self.quantizer = ScalarQuantizer(latent_dim, fsq_levels)
        self.project = nn.Linear(latent_dim * token_num, out_dim)

    def latents(self, mel: Tensor) -> Tensor:
        """Read mel (batch, mels, time) -> (batch, tokens, latent_dim)."""
        read: Tensor = self.perceiver_sampler(self.speaker_encoder(mel).transpose(1, 2))
        return read

    def ids(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Tokenize mel (batch, mels, time): ids (batch, tokens), and whether each is beyond rounding errors."""
        return self.quantizer.ids(self.quantizer.bound(self.quantizer.project_in(self.latents(mel))))

    def dvector(self, ids: Tensor) -> Tensor:
        """Decode ids (batch, tokens) -> (batch, out_dim); the code vectors are flattened channel by channel."""
        codes = self.quantizer.vectors(ids, self.project.weight.dtype)
        vector: Tensor = self.project(codes.transpose(1, 2).flatten(1))
        return vector
