"""What travels from the data loader to the trainer: samples packed behind one another in one row."""

from dataclasses import dataclass
from typing import Literal

import torch

Task = Literal["asr", "tts", "vc"]

IGNORED = -100
"""Label of a token that the loss does not cover (PyTorch's cross-entropy skips it)."""


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

    @property
    def num_tokens(self) -> int:
        """Tokens in the row, prompts included."""
        return int(self.ids.numel())
