"""The two quantisers of BiCodec: a factorised codebook for semantic tokens, finite scalars for global tokens.

Factorised codebook: arXiv 2110.04627 (low dimension, both sides normalised for the search). Finite scalar
quantisation: arXiv 2309.15505. Attribute names are those of the official checkpoint.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.tokenize.official.batching import nearest
from curation.tokenize.official.checkpoints import weight_normed

FSQ_EPS = 1e-3
FSQ_TIE = 1e-4
"""A scalar closer than this to a rounding boundary (levels are 1 apart) is not beyond rounding errors."""


def _projection(source: int, target: int) -> nn.Module:
    return nn.Identity() if source == target else weight_normed(nn.Conv1d(source, target, 1))


class FactorizedQuantizer(nn.Module):
    """Projects to `codebook_dim`, takes the nearest code on the unit sphere, and projects the raw code back."""

    def __init__(self, input_dim: int, codebook_size: int, codebook_dim: int) -> None:
        super().__init__()
        self.in_project = _projection(input_dim, codebook_dim)
        self.out_project = _projection(codebook_dim, input_dim)
        self.codebook = nn.Embedding(codebook_size, codebook_dim)
        self.register_buffer("cluster_size", torch.empty(codebook_size))  # statistics of training, unused

    def project(self, z: Tensor) -> Tensor:
        """Project z (batch, time, input_dim) -> (batch, time, codebook_dim), before normalisation."""
        projected: Tensor = self.in_project(z.transpose(1, 2)).transpose(1, 2)
        return projected

    def ids(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Quantise what `project` gave: ids (batch, time) int64, and whether each is beyond rounding."""
        return nearest(F.normalize(projected, dim=-1), F.normalize(self.codebook.weight, dim=-1))

    def vectors(self, ids: Tensor) -> Tensor:
        """Look up ids (batch, time) -> (batch, time, input_dim)."""
        codes: Tensor = self.out_project(self.codebook(ids).transpose(1, 2)).transpose(1, 2)
        return codes


class ScalarQuantizer(nn.Module):
    """FSQ with projections in and out: each of the few scalars is rounded to one of `levels` values."""

    def __init__(self, dim: int, levels: Sequence[int]) -> None:
        super().__init__()
        same = dim == len(levels)
        self.project_in = nn.Identity() if same else nn.Linear(dim, len(levels))
        self.project_out = nn.Identity() if same else nn.Linear(len(levels), dim)
        self.levels = list(levels)
        self.basis = [math.prod(levels[:i]) for i in range(len(levels))]

    @property
    def size(self) -> int:
        """How many codes there are."""
        return math.prod(self.levels)

    def bound(self, x: Tensor) -> Tensor:
        """Squash x (..., scalars) to the range of the levels: what is rounded."""
        levels = x.new_tensor(self.levels)
        half = (levels - 1) * (1 + FSQ_EPS) / 2
        offset = torch.where(levels % 2 == 0, 0.5, 0.0)
        return torch.tanh(x + torch.atanh(offset / half)) * half - offset

    def ids(self, bounded: Tensor) -> tuple[Tensor, Tensor]:
        """Round what `bound` gave: ids (...) int64, and whether each is beyond rounding errors (...) bool."""
        half_width = torch.tensor(self.levels, device=bounded.device) // 2
        places = bounded.round().long() + half_width
        certain = (bounded - bounded.round()).abs() < 0.5 - FSQ_TIE
        return (places * torch.tensor(self.basis, device=bounded.device)).sum(-1), certain.all(-1)

    def codes(self, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Look up ids (...) -> scalars (..., len(levels)), -1..1."""
        levels = torch.tensor(self.levels, device=ids.device)
        half_width = levels // 2
        places = ids[..., None] // torch.tensor(self.basis, device=ids.device) % levels
        return (places - half_width) / half_width.to(dtype)

    def vectors(self, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Look up ids (...) -> (..., dim)."""
        projected: Tensor = self.project_out(self.codes(ids, dtype))
        return projected
