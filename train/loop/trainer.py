"""The training loop: packed rows in, checkpoints out.

For each step: the loss of all answer tokens of `accumulation` rows on each process, divided by their number over all
processes; backward; the gradient scaled down to `clip_norm`; AdamW at the rate of the schedule. Everything else here
serves resuming after an interruption and stopping when something is wrong.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from curation.train.data.batch import TASKS, PackedBatch, Task
from curation.train.distributed import full_tensor, synchronised
from curation.train.loop import metrics
from curation.train.loop.learner import BadBatchError, Learner, Source
from curation.train.loop.losses import LossSums, autocast, next_rows
from curation.train.loop.validate import Validation

OnStep = Callable[[metrics.StepMetrics], None]


class Loader(Source, Protocol):
    """Packed rows of this process."""

    def __iter__(self) -> Iterator[PackedBatch]:
        """Continue from the position."""
        ...


@dataclass(frozen=True, slots=True)
class StepResult:
    """One optimizer step over all processes."""

    loss: float
    losses: dict[Task, float]
    learning_rate: float
    grad_norm: float
    tokens: int
    answers: int
    flops: float


@dataclass
class Trainer(Learner):
    """Learns packed rows of a loader."""

    loader: Loader
    validation: Validation | None = None

    def train(self, on_step: OnStep = lambda _: None) -> None:
        """Train until `run.steps`, or until the data end. Raises BadBatchError."""
        rows, saved = iter(self.loader), self.step
        begin = time.perf_counter()
        while self.step < self.config.run.steps:
            batches = next_rows(rows, self.config.run.accumulation, self.world)
            if batches is None:
                break
            waited = time.perf_counter() - begin
            done = self.train_step(batches)
            report = self._metrics(done, begin, waited)
            if self.step == self.config.run.steps or self.step % self.config.run.validation_steps == 0:
                report.validation = self._validated()
            on_step(report)
            begin = time.perf_counter()
            if self.step % self.config.run.save_steps == 0:
                self.save()
                saved = self.step
        if saved != self.step:
            self.save()

    def _validated(self) -> dict[Task, float] | None:
        if self.validation is None:
            return None
        return self.validation.measure(self.module, self.world, self.config.run.precision)

    def train_step(self, batches: list[PackedBatch]) -> StepResult:
        """One update from the rows of this process. Raises BadBatchError before anything is changed."""
        gathered = LossSums()
        answers = int(self.world.sum(torch.tensor(sum(len(batch.answers) for batch in batches))))
        flops = 0.0
        for number, batch in enumerate(batches, 1):
            with synchronised(self.module, last=number == len(batches)):
                with autocast(self.world.device, self.config.run.precision):
                    total, losses = self.module(batch)
                # Gradients are averaged over processes, the loss is a mean over all their answers.
                (total * (self.world.size / max(1, answers))).backward()
            gathered.add(batch, losses)
            flops += self._flops(batch, len(losses))
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip_norm)
        return self._update(gathered, float(full_tensor(norm)), batches, flops)

    def _update(self, gathered: LossSums, norm: float, batches: list[PackedBatch], flops: float) -> StepResult:
        own = torch.tensor([sum(batch.num_tokens for batch in batches), flops], dtype=torch.float64)
        sums = self.world.sum(torch.cat([gathered.sums, gathered.counts, own]))
        total, counts = sums[: len(TASKS)], sums[len(TASKS) : -2]
        losses = {task: float(total[i] / counts[i]) for i, task in enumerate(TASKS) if counts[i]}
        problem = self.watch.problem(losses, norm)
        if problem is not None:
            raise BadBatchError(self._explain(problem, gathered))
        rate = self.descend()
        self.watch.take(losses)
        self.step += 1
        self.tokens += int(sums[-2])
        answers = int(counts.sum())
        return StepResult(
            float(total.sum()) / max(1, answers), losses, rate, norm, int(sums[-2]), answers, float(sums[-1])
        )

    def _explain(self, problem: str, gathered: LossSums) -> str:
        """The samples of a bad step, worst first (not-a-number counts as worst)."""
        samples = [sample for own in self.world.gather(gathered.worst) for sample in own]
        samples.sort(key=lambda sample: -math.inf if math.isnan(sample[0]) else -sample[0])
        named = "\n".join(f"  {loss:8.3f}  {key}" for loss, key in samples[:5])
        return (
            f"step {self.step + 1}: {problem}; nothing was changed. The samples with the highest loss of "
            f"{len(samples)} in the batch:\n{named}\n"
            "Look at these utterances. The last checkpoint is good: run again to continue from it, with a larger "
            "run.spike_factor (null: never stop) where their texts are wrong and the model is well, else with a lower "
            "optimizer.learning_rate or a longer optimizer.warmup_steps."
        )

    def _metrics(self, done: StepResult, begin: float, waited: float) -> metrics.StepMetrics:
        seconds = time.perf_counter() - begin
        peak = metrics.peak_flops(self.world.device)
        capacity = self.config.data.token_budget * self.config.run.accumulation * self.world.size
        return metrics.StepMetrics(
            step=self.step,
            loss=done.loss,
            losses=done.losses,
            learning_rate=done.learning_rate,
            grad_norm=done.grad_norm,
            tokens=self.tokens,
            answer_tokens=done.answers,
            tokens_per_second=done.tokens / seconds,
            packing=done.tokens / capacity,
            wait=waited / seconds,
            peak_gib=metrics.peak_gib(self.world.device),
            mfu=done.flops / seconds / (peak * self.world.size) if peak else None,
        )

    def _flops(self, batch: PackedBatch, answers: int) -> float:
        return metrics.model_flops(self.model.config, self.num_parameters, batch.lengths.tolist(), answers)
