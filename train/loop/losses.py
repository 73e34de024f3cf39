"""Losses of packed rows: summed by task on their device, and averaged over all processes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self

import torch

from curation.train.data.batch import TASKS, PackedBatch, Task
from curation.train.device import in_bfloat16
from curation.train.distributed import World


@dataclass(slots=True)
class LossSums:
    """Losses of answer tokens of packed rows of this process: sums by task, (tasks,) float64; nothing waits."""

    sums: torch.Tensor
    counts: torch.Tensor = field(default_factory=lambda: torch.zeros(len(TASKS), dtype=torch.float64))
    """How many there are of each task, on the host."""
    rows: list[tuple[PackedBatch, torch.Tensor]] = field(default_factory=list)
    """Each row with its losses, (answers,)."""

    @classmethod
    def on(cls, device: torch.device) -> Self:
        """None yet."""
        return cls(torch.zeros(len(TASKS), dtype=torch.float64, device=device))

    def add(self, batch: PackedBatch, losses: torch.Tensor) -> None:
        """Count the losses of the answer tokens of a row."""
        self.sums.index_add_(0, batch.on(losses.device).tasks, losses.double())
        self.counts += batch.answer_counts
        self.rows.append((batch, losses))

    def worst(self) -> list[tuple[float, str]]:
        """Mean loss and key of each sample."""
        found: list[tuple[float, str]] = []
        for batch, losses in self.rows:
            samples, count = batch.answer_samples, len(batch.keys)
            sums = torch.zeros(count, dtype=torch.float64).index_add_(0, samples, losses.double().cpu())
            numbers = torch.bincount(samples, minlength=count)
            found += zip((sums / numbers.clamp(min=1)).tolist(), batch.keys, strict=True)
        return found

    def means(self, world: World) -> dict[Task, float]:
        """Mean loss of each task over all processes; tasks without an answer are left out."""
        return means(world.sum(self.sums.clone()).tolist(), world.sum(self.counts.clone()).tolist())


def means(sums: list[float], counts: list[float]) -> dict[Task, float]:
    """Means by task, from sums and numbers in the order of TASKS."""
    return {task: total / count for task, total, count in zip(TASKS, sums, counts, strict=True) if count}


def next_rows(rows: Iterator[PackedBatch], count: int, world: World) -> list[PackedBatch] | None:
    """`count` rows of each process; None where any process has not enough of them left."""
    batches = list(islice(rows, count))
    short = int(len(batches) < count)
    return None if int(world.sum(torch.tensor(short))) else batches


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """How layers run: under autocast to bfloat16 if `run.precision` says so; auto: on a GPU only."""
    return torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16(device, precision))
