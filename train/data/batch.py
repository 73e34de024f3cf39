"""The items of the data loader: samples packed one after another into a row, and counts of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import torch

from curation.tokenize import layouts
from curation.train.device import send

Task = Literal["asr", "tts", "vc"]
TASKS: tuple[Task, ...] = get_args(Task)

IGNORED = -100
"""Label of a token that the loss does not cover (PyTorch's cross-entropy skips it)."""


@dataclass(frozen=True, slots=True)
class Packing:
    """The extents of the samples of a row: `offsets` (samples + 1,) int32 on the device, `longest` in tokens."""

    lengths: list[int]
    offsets: torch.Tensor
    longest: int

    @classmethod
    def of(cls, lengths: torch.Tensor, device: torch.device) -> Self:
        """From the tokens of each sample, (samples,)."""
        offsets = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
        return cls(lengths.tolist(), send(offsets, device), int(lengths.max()))


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model reads of a row, on its device: `ids` and `positions` (1, tokens) int64, and of each answer token,
    (answers,) int64, the place of the token `before` it, the token itself (`targets`) and its task (a place in TASKS).
    """

    ids: torch.Tensor
    positions: torch.Tensor
    before: torch.Tensor
    targets: torch.Tensor
    tasks: torch.Tensor
    packing: Packing


@dataclass(slots=True)
class PackedBatch:
    """One row of whole samples; attention must not cross from one into another.

    `ids`, `labels` and `positions` are (tokens,) int64. Labels stand at the place of the token itself (the trainer
    shifts by one) and are `IGNORED` outside answers, always for the first token of a sample. Positions restart at 0
    with each sample. `lengths` (samples,) int32 are the samples' tokens, in order; `tasks` and `keys` name them: a key
    is the task and the utterances it was made from, for messages about a bad batch.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor
    lengths: torch.Tensor
    tasks: list[Task]
    keys: list[str]
    _sent: Inputs | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, samples: Sequence[layouts.Sequence], tasks: list[Task], keys: list[str]) -> Self:
        """Samples behind one another."""
        lengths = np.array([len(one.ids) for one in samples], dtype=np.int32)
        joined = np.concatenate([one.ids for one in samples]).astype(np.int64)
        answers = np.concatenate([one.loss for one in samples])
        return cls(
            ids=torch.from_numpy(joined),
            labels=torch.from_numpy(np.where(answers, joined, IGNORED)),
            positions=torch.from_numpy(_positions(lengths)),
            lengths=torch.from_numpy(lengths),
            tasks=tasks,
            keys=keys,
        )

    @property
    def num_tokens(self) -> int:
        """Tokens in the row, prompts included."""
        return int(self.ids.numel())

    @property
    def answers(self) -> torch.Tensor:
        """Places of the tokens that the loss covers, (answers,) int64."""
        return (self.labels != IGNORED).nonzero()[:, 0]

    @property
    def answer_samples(self) -> torch.Tensor:
        """Which sample each of these tokens belongs to, (answers,) int64."""
        return torch.repeat_interleave(torch.arange(len(self.lengths)), self.lengths)[self.answers]

    @property
    def answer_counts(self) -> torch.Tensor:
        """How many of them each task has, (tasks,) int64, in the order of TASKS."""
        return torch.bincount(self._answer_tasks, minlength=len(TASKS))

    def on(self, device: torch.device) -> Inputs:
        """What a model reads, on its device. It is sent once: the first who asks need not wait for it."""
        if self._sent is None or self._sent.ids.device != device:
            answers = self.answers
            self._sent = Inputs(
                ids=send(self.ids[None], device),
                positions=send(self.positions[None], device),
                before=send(answers - 1, device),
                targets=send(self.labels[answers], device),
                tasks=send(self._answer_tasks, device),
                packing=Packing.of(self.lengths, device),
            )
        return self._sent

    @property
    def _answer_tasks(self) -> torch.Tensor:
        return torch.tensor([TASKS.index(task) for task in self.tasks])[self.answer_samples]


def _positions(lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """(tokens,) positions that restart with each sample."""
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    return np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(starts, lengths)


@dataclass(slots=True)
class RowCounts:
    """Counters of the samples returned; they add up over rows, workers and ranks.

    `own_voice` are TTS and VC samples whose speaker had no other utterance in the block; `parallel` are VC samples
    from another speaker's utterance; `over_long` are samples that were left out, by task, and `longest` is the number
    of tokens of the longest sample seen, left out or not.
    """

    rows: int = 0
    capacity: int = 0
    tokens: int = 0
    answer_tokens: int = 0
    samples: Counter[str] = field(default_factory=Counter)
    own_voice: int = 0
    parallel: int = 0
    over_long: Counter[str] = field(default_factory=Counter)
    longest: int = 0

    def __add__(self, other: "RowCounts") -> "RowCounts":
        return RowCounts(
            rows=self.rows + other.rows,
            capacity=self.capacity + other.capacity,
            tokens=self.tokens + other.tokens,
            answer_tokens=self.answer_tokens + other.answer_tokens,
            samples=self.samples + other.samples,
            own_voice=self.own_voice + other.own_voice,
            parallel=self.parallel + other.parallel,
            over_long=self.over_long + other.over_long,
            longest=max(self.longest, other.longest),
        )

    @property
    def efficiency(self) -> float:
        """Share of the token budget that holds tokens; 0 before the first row."""
        return self.tokens / self.capacity if self.capacity else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a log line."""
        return {
            "rows": self.rows,
            "tokens": self.tokens,
            "answer_tokens": self.answer_tokens,
            "efficiency": round(self.efficiency, 4),
            "samples": dict(sorted(self.samples.items())),
            "own_voice": self.own_voice,
            "parallel": self.parallel,
            "over_long": dict(sorted(self.over_long.items())),
            "longest": self.longest,
        }
