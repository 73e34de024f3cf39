"""The ConvNeXt parts of BiCodec: the semantic encoder, and the prenet (and postnet) of the decoder.

Blocks as in Vocos (arXiv 2306.00814) and Spark-TTS (arXiv 2503.01710, section 3). Attribute names are those of the
official checkpoint. `lengths` says how many frames of each row are valid: what lies beyond is zeroed before every
convolution, so that a padded batch computes exactly what each clip alone computes with its zero padding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the customary name

EPS = 1e-6


def masked(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Zero what lies beyond `lengths` (batch,) in x (batch, channels, time); None: every frame is valid."""
    if lengths is None:
        return x
    return x * (torch.arange(x.shape[-1], device=x.device) < lengths[:, None])[:, None]


class AdaptiveNorm(nn.Module):
    """LayerNorm whose scale and shift are linear in a condition: normed · scale(c) + shift(c)."""

    def __init__(self, condition_dim: int, dim: int) -> None:
        super().__init__()
        self.scale = nn.Linear(condition_dim, dim)
        self.shift = nn.Linear(condition_dim, dim)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Normalise x (batch, time, dim) given the condition (batch, condition_dim)."""
        normed = F.layer_norm(x, x.shape[-1:], eps=EPS)
        return torch.addcmul(self.shift(condition)[:, None], normed, self.scale(condition)[:, None])


def _norm(dim: int, condition_dim: int | None) -> nn.Module:
    return nn.LayerNorm(dim, eps=EPS) if condition_dim is None else AdaptiveNorm(condition_dim, dim)


def _apply(norm: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
    normed: Tensor = norm(x, condition) if isinstance(norm, AdaptiveNorm) else norm(x)
    return normed


class ConvNeXtBlock(nn.Module):
    """x + gamma · Linear(GELU(Linear(norm(depthwise convolution))))."""

    def __init__(self, dim: int, inner: int, condition_dim: int | None) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(dim, dim, 7, padding=3, groups=dim)
        self.norm = _norm(dim, condition_dim)
        self.pwconv1 = nn.Linear(dim, inner)
        self.pwconv2 = nn.Linear(inner, dim)
        self.gamma = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor, condition: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Compute one block on x (batch, dim, time)."""
        y = _apply(self.norm, self.dwconv(masked(x, lengths)).transpose(1, 2), condition)
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return torch.add(x, y.transpose(1, 2))


class Backbone(nn.Module):
    """Convolution, norm, `layers` ConvNeXt blocks, final plain LayerNorm."""

    def __init__(self, channels: int, dim: int, inner: int, layers: int, condition_dim: int | None = None) -> None:
        super().__init__()
        self.embed = nn.Conv1d(channels, dim, 7, padding=3)
        self.norm = _norm(dim, condition_dim)
        self.convnext = nn.ModuleList(ConvNeXtBlock(dim, inner, condition_dim) for _ in range(layers))
        self.final_layer_norm = nn.LayerNorm(dim, eps=EPS)

    def forward(self, x: Tensor, condition: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Compute (batch, channels, time) -> (batch, time, dim)."""
        embedded = self.embed(masked(x, lengths)).transpose(1, 2)
        x = _apply(self.norm, embedded, condition).transpose(1, 2)
        for block in self.convnext:
            x = block(x, condition, lengths)
        normed: Tensor = self.final_layer_norm(x.transpose(1, 2))
        return normed


class SamplingBlock(nn.Module):
    """Changes the frame rate by a learned and two plain branches. At ratio 1 all three are the input: it gives 3x."""

    def __init__(self, dim: int, up: int = 1, down: int = 1) -> None:
        super().__init__()
        self.up, self.down = up, down
        if up > 1:
            transposed = nn.ConvTranspose1d(dim, dim, 2 * up, up, up // 2 + up % 2, output_padding=up % 2, groups=dim)
            self.de_conv_upsampler = nn.Sequential(nn.LeakyReLU(0.2), transposed)
        if down > 1:
            strided = nn.Conv1d(dim, dim, 2 * down, down, down // 2 + down % 2, groups=dim)
            self.conv_downsampler = nn.Sequential(nn.LeakyReLU(0.2), strided)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Resample x (batch, dim, time); also the new lengths."""
        x = masked(x, lengths)
        plain = x.repeat_interleave(self.up, dim=2)
        merged = plain + self.de_conv_upsampler(x) if self.up > 1 else x
        lengths = None if lengths is None else lengths * self.up // self.down
        if self.down == 1:
            return merged + plain + merged, lengths
        pooled = F.avg_pool1d(plain, self.down) + F.avg_pool1d(merged, self.down)
        return self.conv_downsampler(merged) + pooled, lengths


class Stages(nn.ModuleList):
    """One SamplingBlock and one two-layer backbone per ratio."""

    def __init__(self, dim: int, inner: int, ratios: Sequence[int], *, upsample: bool) -> None:
        pairs = (
            nn.Sequential(
                SamplingBlock(dim, up=ratio) if upsample else SamplingBlock(dim, down=ratio),
                Backbone(dim, dim, inner, layers=2),
            )
            for ratio in ratios
        )
        super().__init__(pairs)
        self.ratios = list(ratios)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Run x (batch, time, dim) through all stages; also the new lengths."""
        for stage in self:
            sampling, backbone = stage.children()
            resampled, lengths = sampling(x.transpose(1, 2), lengths)
            x = backbone(resampled, None, lengths)
        return x, lengths


class FeatureEncoder(nn.Module):
    """wav2vec2 features to the vectors that the semantic quantiser takes."""

    def __init__(
        self,
        input_channels: int,
        vocos_dim: int,
        vocos_intermediate_dim: int,
        vocos_num_layers: int,
        out_channels: int,
        sample_ratios: Sequence[int] = (1, 1),
    ) -> None:
        super().__init__()
        self.encoder = Backbone(input_channels, vocos_dim, vocos_intermediate_dim, vocos_num_layers)
        self.downsample = Stages(vocos_dim, vocos_intermediate_dim, sample_ratios, upsample=False)
        self.project = nn.Linear(vocos_dim, out_channels)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encode features (batch, time, channels) -> (batch, time, out_channels)."""
        x, _ = self.downsample(self.encoder(features.transpose(1, 2), None, lengths), lengths)
        projected: Tensor = self.project(x)
        return projected


class FeatureDecoder(nn.Module):
    """Prenet (conditioned on the speaker by adaptive norms) and postnet."""

    def __init__(
        self,
        input_channels: int,
        vocos_dim: int,
        vocos_intermediate_dim: int,
        vocos_num_layers: int,
        out_channels: int,
        condition_dim: int | None = None,
        sample_ratios: Sequence[int] = (1, 1),
        use_tanh_at_final: bool = False,  # noqa: FBT001, FBT002 - a field of the configuration file
    ) -> None:
        super().__init__()
        self.linear_pre = nn.Linear(input_channels, vocos_dim)
        self.downsample = Stages(vocos_dim, vocos_intermediate_dim, sample_ratios, upsample=True)
        self.vocos_backbone = Backbone(vocos_dim, vocos_dim, vocos_intermediate_dim, vocos_num_layers, condition_dim)
        self.linear = nn.Linear(vocos_dim, out_channels)
        self.tanh = use_tanh_at_final

    def forward(self, x: Tensor, condition: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Decode x (batch, time, channels) given (batch, condition_dim) -> (batch, out_channels, time'), lengths'."""
        x, lengths = self.downsample(self.linear_pre(x), lengths)
        x = self.linear(self.vocos_backbone(x.transpose(1, 2), condition, lengths)).transpose(1, 2)
        return (torch.tanh(x) if self.tanh else x), lengths
