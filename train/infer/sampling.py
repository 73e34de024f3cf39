"""Choosing the next token: which ids a task allows, and greedy or sampled choice among them.

Each request has its own random numbers, so that the rest of the batch does not matter. The order is that of
transformers' `generate`: repetition penalty, temperature, top-p.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.core.errors import ConfigError
from curation.tokenize.base import Ids
from curation.train.infer.linear import Projection


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling settings. The paper: ASR greedy; TTS and VC as `speech_sampling` says."""

    temperature: float = 0.0
    """0: greedy."""
    top_p: float = 1.0
    """Choose among the most likely tokens that hold this share of the probability."""
    repetition_penalty: float = 1.0
    """Scores of ids that the prompt or the answer holds already are divided by it (negative ones multiplied)."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges. Raises ConfigError."""
        if not (self.temperature >= 0 and 0 < self.top_p <= 1 and self.repetition_penalty > 0):
            msg = f"{self}: temperature must be 0 or more, top_p within 0..1 (not 0), repetition_penalty above 0"
            raise ConfigError(msg)


GREEDY = Sampling()
PAPER = Sampling(temperature=0.2, repetition_penalty=1.2)
"""TTS and VC in the paper, with BiCodec's `PAPER_CODES` semantic codes."""
PAPER_CODES = 8192


def speech_sampling(codes: int) -> Sampling:
    """Default sampling of speech for a model with this many semantic codes: as in the paper, but without a penalty
    where codes are fewer, since a sentence needs most of them again and again. What the penalty does then was measured:
    docs/results/2026-11-26-learning.md.
    """
    return PAPER if codes >= PAPER_CODES else replace(PAPER, repetition_penalty=1.0)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Ids that an answer may hold (`body`) and those that end it (`ends`). Choices count through both in this order."""

    body: range
    ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.body) + len(self.ends)

    def places(self, ids: Ids) -> Ids:
        """Places among the choices of those `ids` that are choices."""
        ids = np.asarray(ids)
        inside = ids[(ids >= self.body.start) & (ids < self.body.stop)] - self.body.start
        ends = [len(self.body) + place for place, end in enumerate(self.ends) if (ids == end).any()]
        return np.concatenate([inside, np.array(ends, inside.dtype)])


class Head:
    """Logits for the allowed ids only: (rows, hidden) -> (rows, choices)."""

    def __init__(self, matrix: Tensor, allowed: Allowed) -> None:
        self.body = Projection(matrix[allowed.body.start : allowed.body.stop])
        self.ends = matrix[list(allowed.ends)]

    def __call__(self, hidden: Tensor) -> Tensor:
        """Give the logits in the order of the choices, float32 or better."""
        logits = torch.cat([self.body(hidden), F.linear(hidden, self.ends)], dim=1)
        return logits if logits.dtype == torch.float64 else logits.float()


class Chooser:
    """The choices of one request: its settings, its random numbers, and the ids so far."""

    def __init__(self, sampling: Sampling, allowed: Allowed, prompt: Ids, device: str = "cpu") -> None:
        self.sampling = sampling
        self.random = np.random.default_rng(sampling.seed)
        self.seen: Tensor | None = None
        if sampling.repetition_penalty != 1.0:
            self.seen = torch.zeros(len(allowed), dtype=torch.bool, device=device)
            self.seen[torch.from_numpy(allowed.places(prompt).astype(np.int64)).to(device)] = True

    def note(self, place: int) -> None:
        """Remember a choice."""
        if self.seen is not None:
            self.seen[place] = True


def choose(logits: Tensor, choosers: Sequence[Chooser]) -> list[int]:
    """Choose a place for each row of `logits` (rows, choices), and let its chooser remember it."""
    if all(chooser.sampling.temperature == 0 for chooser in choosers):
        places: list[int] = _penalised(logits, choosers).argmax(dim=1).tolist()
    else:
        places = _drawn(probabilities(logits, choosers), choosers)
    for place, chooser in zip(places, choosers, strict=True):
        chooser.note(place)
    return places


def probabilities(logits: Tensor, choosers: Sequence[Chooser]) -> Tensor:
    """What each row is drawn from, up to a factor: float64 (rows, choices); all on the argmax if greedy."""
    logits = _penalised(logits, choosers).double()
    temperature = _column([chooser.sampling.temperature for chooser in choosers], logits)
    certain = F.one_hot(logits.argmax(dim=1), logits.shape[1]).double()
    spread = torch.softmax(logits / temperature.where(temperature > 0, 1.0), dim=1)
    if any(chooser.sampling.top_p < 1 for chooser in choosers):
        spread = _nucleus(spread, _column([chooser.sampling.top_p for chooser in choosers], spread))
    return torch.where(temperature > 0, spread, certain)


def _penalised(logits: Tensor, choosers: Sequence[Chooser]) -> Tensor:
    if all(chooser.seen is None for chooser in choosers):
        return logits
    nothing = torch.zeros_like(logits[0], dtype=torch.bool)
    seen = torch.stack([nothing if chooser.seen is None else chooser.seen for chooser in choosers])
    penalty = _column([chooser.sampling.repetition_penalty for chooser in choosers], logits)
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def _drawn(weights: Tensor, choosers: Sequence[Chooser]) -> list[int]:
    """Draw by inversion: the first choice at which the running sum of weights passes the random number."""
    total = weights.cumsum(dim=1)
    wanted = _column([chooser.random.random() for chooser in choosers], total) * total[:, -1:]
    below = torch.nextafter(total[:, -1:], torch.zeros_like(wanted))  # rounding must not exceed the last choice
    places: list[int] = torch.searchsorted(total, torch.minimum(wanted, below), right=True)[:, 0].tolist()
    return places


def _nucleus(probabilities: Tensor, top_p: Tensor) -> Tensor:
    """Zero the choices beyond the most likely ones that reach `top_p`; the most likely always stays."""
    ordered, order = probabilities.sort(dim=1, descending=True, stable=True)
    before = ordered.cumsum(dim=1) - ordered
    kept = ordered.masked_fill(before >= top_p, 0.0)
    return torch.zeros_like(probabilities).scatter(1, order, kept)


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None]
