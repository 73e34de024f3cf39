"""Losses of packed rows: summed by task, and averaged over all processes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch

from curation.train.data.batch import TASKS, PackedBatch, Task
from curation.train.distributed import World


@dataclass(slots=True)
class LossSums:
    """Sums of the losses of answer tokens by task, over packed rows of this process."""

    sums: torch.Tensor = field(default_factory=lambda: torch.zeros(len(TASKS), dtype=torch.float64))
    counts: torch.Tensor = field(default_factory=lambda: torch.zeros(len(TASKS), dtype=torch.float64))
    worst: list[tuple[float, str]] = field(default_factory=list)
    """Mean loss and key of each sample."""

    def add(self, batch: PackedBatch, losses: torch.Tensor) -> None:
        """Count the losses of the answer tokens of a row."""
        samples, count = batch.answer_samples, len(batch.keys)
        sums = torch.zeros(count, dtype=torch.float64).index_add_(0, samples, losses.double().cpu())
        numbers = torch.bincount(samples, minlength=count).double()
        tasks = torch.tensor([TASKS.index(task) for task in batch.tasks])
        self.sums.index_add_(0, tasks, sums)
        self.counts.index_add_(0, tasks, numbers)
        self.worst += zip((sums / numbers.clamp(min=1)).tolist(), batch.keys, strict=True)

    def means(self, world: World) -> dict[Task, float]:
        """Mean loss of each task over all processes; tasks without an answer are left out."""
        sums, counts = world.sum(torch.stack([self.sums, self.counts]))
        return {task: float(sums[i] / counts[i]) for i, task in enumerate(TASKS) if counts[i]}


def next_rows(rows: Iterator[PackedBatch], count: int, world: World) -> list[PackedBatch] | None:
    """`count` rows of each process; None where any process has not enough of them left."""
    batches = list(islice(rows, count))
    short = int(len(batches) < count)
    return None if int(world.sum(torch.tensor(short))) else batches


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """How layers run: under autocast to bfloat16 if `run.precision` says so; auto: on a GPU only."""
    on = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=on)
