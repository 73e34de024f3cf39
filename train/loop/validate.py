"""Validation: the losses of rows that are never trained on."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from curation.train.data.batch import PackedBatch, Task
from curation.train.distributed import World, reshard
from curation.train.loop.losses import LossSums, autocast, next_rows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Validation:
    """`rows` gives this process's rows of the validation set, from the first one each time; `limit` of them count."""

    rows: Callable[[], Iterator[PackedBatch]]
    limit: int

    def measure(self, module: nn.Module, world: World, precision: str) -> dict[Task, float]:
        """Mean loss of each task over all processes. Changes nothing that training depends on.

        All processes take as many rows, so the last few rows of a small set may be left out.
        """
        sums, rows = LossSums.on(world.device), self.rows()
        module.eval()
        for _ in range(self.limit):
            batches = next_rows(rows, 1, world)
            if batches is None:
                break
            with torch.no_grad(), autocast(world.device, precision):
                _, losses = module(batches[0])
            sums.add(batches[0], losses)
        reshard(module.train())
        means = sums.means(world)
        if not means and world.first:
            log.warning(
                "run.validation has no losses: it has fewer packed rows than there are processes, or no sample fits "
                "data.token_budget: give it more utterances, or raise the budget"
            )
        return means
