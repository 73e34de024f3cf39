"""The network of the compact codec: ConvNeXt blocks around finite scalar quantisation (Mentzer et al. 2023).

Encoder: Whisper states and speaker-normalised frames -> one code per 20 ms, of 8192 unless fitted with fewer.
Decoder: codes in context and the clip's globals -> normalised log-mel, pitch and voicing, 100 frames a second.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from curation.tokenize.compact.features import NUM_MELS, STATES_SIZE

NUM_GLOBAL = 32
FRAME_SIZE = 2 * (NUM_MELS + 2)
"""Two 10 ms frames to a token: normalised log-mel, normalised log f0, voicing."""


class Block(nn.Module):
    """ConvNeXt block on (batch, time, channels): depthwise convolution over 7 tokens, then a per-token MLP."""

    def __init__(self, dim: int, expansion: int = 3) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(dim, expansion * dim)
        self.down = nn.Linear(expansion * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (batch, time, dim) in and out."""
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        y = self.down(nn.functional.gelu(self.up(self.norm(y))))
        return torch.as_tensor(x + y)


class ScalarQuantizer(nn.Module):
    """Each channel is squashed to -1..1 and rounded to its number of levels; the code is the mixed-radix number."""

    levels: Tensor
    radix: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        sizes = torch.tensor(levels)
        self.register_buffer("levels", sizes, persistent=False)
        self.register_buffer("radix", torch.cumprod(torch.cat([torch.ones(1), sizes[:-1]]), 0).long(), persistent=False)

    def steps(self, x: Tensor) -> Tensor:
        """Level numbers (…, channels) of unbounded values, int64."""
        return torch.round((torch.tanh(x) + 1) / 2 * (self.levels - 1)).long()

    def forward(self, x: Tensor) -> Tensor:
        """Quantised values in -1..1, with the gradient of tanh passed straight through."""
        bounded = torch.tanh(x)
        quantised = 2 * self.steps(x) / (self.levels - 1) - 1
        return bounded + (quantised - bounded).detach()

    def ids(self, x: Tensor) -> Tensor:
        """Codes (…,) of unbounded values (…, channels)."""
        return (self.steps(x) * self.radix).sum(-1)

    def values(self, ids: Tensor) -> Tensor:
        """Quantised values (…, channels) of codes (…,)."""
        steps = ids[..., None] // self.radix % self.levels
        return 2 * steps / (self.levels - 1) - 1


class CodecNet(nn.Module):
    """Both halves of the codec; `states` is an auxiliary head that keeps the words in the codes while training."""

    def __init__(self, levels: Sequence[int], dim: int = 160, encoder_blocks: int = 3, decoder_blocks: int = 6) -> None:
        super().__init__()
        self.states_in = nn.Linear(STATES_SIZE, dim)
        self.frames_in = nn.Linear(FRAME_SIZE, dim)
        self.encoder = nn.Sequential(*(Block(dim) for _ in range(encoder_blocks)), nn.LayerNorm(dim))
        self.to_code = nn.Linear(dim, len(levels))
        self.quantizer = ScalarQuantizer(levels)
        self.from_code = nn.Linear(len(levels), dim)
        self.from_global = nn.Linear(NUM_GLOBAL, dim)
        self.decoder = nn.Sequential(*(Block(dim) for _ in range(decoder_blocks)), nn.LayerNorm(dim))
        self.frames_out = nn.Linear(dim, FRAME_SIZE)
        self.states_out = nn.Linear(dim, STATES_SIZE)

    @property
    def reach(self) -> int:
        """Tokens before and after its own that a decoded row depends on."""
        return sum(block.depthwise.kernel_size[0] // 2 for block in self.decoder if isinstance(block, Block))

    def encode(self, states: Tensor, frames: Tensor) -> Tensor:
        """Unquantised codes (B, T, channels) from states (B, T, 384) and frames (B, T, FRAME_SIZE)."""
        return torch.as_tensor(self.to_code(self.encoder(self.states_in(states) + self.frames_in(frames))))

    def decode(self, code: Tensor, speaker: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, T, FRAME_SIZE) and states (B, T, 384) from code values (B, T, channels) and globals (B, 32)."""
        x = self.decoder(self.from_code(code) + self.from_global(speaker)[:, None])
        return self.frames_out(x), self.states_out(x)
