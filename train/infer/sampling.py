"""Choosing the next token: which ids a task allows, and greedy or sampled choice among them.

Each request has its own random numbers, so that the rest of the batch does not matter. The order is that of
transformers' `generate`: repetition penalty, temperature, top-p. Everything is done for all rows at once, and nothing
is read on the host, so that a GPU does it within a captured step.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.core.errors import ConfigError
from curation.tokenize.base import Ids
from curation.train.infer.linear import Int8Projection, Projection


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
        if not (self.temperature >= 0 and 0 < self.top_p <= 1 and self.repetition_penalty > 0 and self.seed >= 0):
            ranges = "temperature must be 0 or more, top_p within 0..1 (not 0), repetition_penalty above 0"
            msg = f"{self}: {ranges}, seed 0 or more"
            raise ConfigError(msg)


GREEDY = Sampling()
PAPER = Sampling(temperature=0.2, repetition_penalty=1.2)
"""TTS and VC in the paper, with BiCodec's `PAPER_CODES` semantic codes."""
PAPER_CODES = 8192
COLDEST = 1e-5
"""Least temperature that logits are divided by: the likeliest is certain by then, and a quotient that is infinite would
choose nothing, and fail the step of all requests.
"""


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


class Head:
    """Logits of the allowed ids only: (rows, hidden) -> (rows, choices), computed in float32 or better.

    A logit of bfloat16 near 20 is exact to 0.06: at temperature 0.2 that would change probabilities by a third.
    """

    def __init__(self, matrix: Tensor, allowed: Allowed, *, int8: bool = False) -> None:
        kind = torch.promote_types(matrix.dtype, torch.float32)
        projection = Int8Projection if int8 else Projection
        self.body = projection(matrix[allowed.body.start : allowed.body.stop].to(kind))
        self.ends = matrix[list(allowed.ends)].to(kind)
        self.ids = torch.tensor([*allowed.body, *allowed.ends], device=matrix.device)
        """The id of each choice."""
        self.end_ids = self.ids[len(allowed.body) :]

    def __call__(self, hidden: Tensor) -> Tensor:
        """Give the logits in the order of the choices."""
        hidden = hidden.to(self.ends.dtype)
        return torch.cat([self.body(hidden), F.linear(hidden, self.ends)], dim=1)


@dataclass(frozen=True, slots=True)
class Needs:
    """What any row of a batch needs; the rest is left out for all."""

    drawn: bool
    nucleus: bool
    penalty: bool

    @classmethod
    def of(cls, samplings: Iterable[Sampling]) -> "Needs":
        """Collect the needs of a batch."""
        rows = list(samplings)
        drawn = [row for row in rows if row.temperature > 0]
        return cls(bool(drawn), any(row.top_p < 1 for row in drawn), any(row.repetition_penalty != 1 for row in rows))


@dataclass(frozen=True, slots=True)
class Draw:
    """How the row of a slot chooses its next id; `uniform` is a random number from 0 to 1 of its request."""

    slot: int
    allowed: Allowed
    sampling: Sampling
    uniform: float = 0.0

    def settings(self) -> tuple[float, ...]:
        """Numbers of a `Chooser`."""
        sampling = self.sampling
        return sampling.temperature, sampling.top_p, sampling.repetition_penalty, self.uniform


class Chooser(NamedTuple):
    """Settings of the rows of a batch: columns (rows, 1), floats of the logits' precision."""

    temperature: Tensor
    top_p: Tensor
    penalty: Tensor
    uniform: Tensor

    @classmethod
    def of(cls, draws: Sequence[Draw], like: Tensor) -> "Chooser":
        """Put the settings of some rows beside `like`."""
        return cls.read(torch.tensor([draw.settings() for draw in draws], dtype=like.dtype, device=like.device).T)

    @classmethod
    def read(cls, table: Tensor) -> "Chooser":
        """Read settings (4, rows)."""
        return cls(*table.unsqueeze(2))


def random_numbers(sampling: Sampling, prompt: Ids) -> np.random.Generator:
    """The random numbers of a request: its own by seed and prompt, so that no two texts of a list share theirs."""
    return np.random.default_rng([sampling.seed, zlib.crc32(np.ascontiguousarray(prompt, np.int64).tobytes())])


class Sampler:
    """Chooses the next ids of the rows of a step, all at once and on the device.

    It remembers which ids each slot has seen, for the repetition penalty.
    """

    def __init__(self, matrix: Tensor, slots: int, *, int8: bool = False) -> None:
        self.matrix, self.int8 = matrix, int8
        self.seen = torch.zeros(slots, len(matrix), dtype=torch.bool, device=matrix.device)
        self._heads: dict[Allowed, Head] = {}

    def admit(self, slot: int, prompt: Ids) -> None:
        """Begin a slot anew: it has seen its prompt."""
        self.seen[slot] = False
        self.seen[slot, torch.from_numpy(np.unique(prompt).astype(np.int64)).to(self.seen.device)] = True

    def next_ids(self, hidden: Tensor, draws: Sequence[Draw]) -> list[int]:
        """Choose and remember an id for each of some rows of one task, from hidden states (rows, hidden)."""
        slots = torch.tensor([draw.slot for draw in draws], device=hidden.device)
        needs = Needs.of(draw.sampling for draw in draws)
        ids = self.choose(hidden, slots, draws[0].allowed, Chooser.of(draws, hidden), needs)
        if needs.penalty:
            self.note(slots, ids)
        numbers: list[int] = ids.tolist()
        return numbers

    def choose(self, hidden: Tensor, slots: Tensor, allowed: Allowed, chooser: Chooser, needs: Needs) -> Tensor:
        """Ids (rows,) int64 for hidden states (rows, hidden) of these slots (rows,)."""
        logits = self.logits(hidden, slots, allowed, chooser if needs.penalty else None)
        return self._head(allowed).ids[choose(logits, chooser, needs)]

    def logits(self, hidden: Tensor, slots: Tensor, allowed: Allowed, chooser: Chooser | None) -> Tensor:
        """Logits (rows, choices), penalised by `chooser` where one is given."""
        head = self._head(allowed)
        logits = head(hidden)
        if chooser is None:
            return logits
        body, ends = self.seen[:, allowed.body.start : allowed.body.stop], self.seen.index_select(1, head.end_ids)
        seen = torch.cat([part.index_select(0, slots) for part in (body, ends)], dim=1)
        return penalised(logits, seen, chooser.penalty)

    def note(self, slots: Tensor, ids: Tensor) -> None:
        """Remember the ids (rows,) that were chosen for some slots (rows,)."""
        self.seen.index_put_((slots, ids), self.seen.new_ones(()))

    def _head(self, allowed: Allowed) -> Head:
        if allowed not in self._heads:
            self._heads[allowed] = Head(self.matrix, allowed, int8=self.int8)
        return self._heads[allowed]


def penalised(logits: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """Divide logits (rows, choices) of `seen` choices by the row's penalty (rows, 1), multiply negative ones by it."""
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def choose(logits: Tensor, chooser: Chooser, needs: Needs) -> Tensor:
    """Choose places (rows,) int64 by logits (rows, choices).

    A row's choice depends on nothing but its own settings: what other rows need does not change it.
    """
    likeliest = logits.argmax(dim=1)
    if not needs.drawn:
        return likeliest
    places = _drawn(probabilities(logits, chooser, needs), chooser.uniform)
    return torch.where(chooser.temperature[:, 0] > 0, places, likeliest)


def probabilities(logits: Tensor, chooser: Chooser, needs: Needs) -> Tensor:
    """What each row is drawn from, up to a factor: (rows, choices), in the logits' precision."""
    spread = torch.softmax(logits / chooser.temperature.clamp_min(COLDEST), dim=1)
    return _nucleus(spread, chooser.top_p) if needs.nucleus else spread


def _drawn(weights: Tensor, uniform: Tensor) -> Tensor:
    """Draw by inversion: the first choice at which the running sum of weights passes the random number."""
    total = weights.cumsum(dim=1)
    wanted = uniform * total[:, -1:]
    below = torch.nextafter(total[:, -1:], torch.zeros_like(wanted))  # rounding must not exceed the last choice
    return torch.searchsorted(total, torch.minimum(wanted, below), right=True)[:, 0]


def _nucleus(weights: Tensor, top_p: Tensor) -> Tensor:
    """Zero the choices beyond the most likely ones that reach `top_p`; the most likely always stays."""
    ordered, order = weights.sort(dim=1, descending=True, stable=True)
    before = ordered.cumsum(dim=1) - ordered
    kept = ordered.masked_fill((before >= top_p) & (top_p < 1), 0.0)
    return torch.zeros_like(weights).scatter(1, order, kept)
