"""The training loop: packed rows in, checkpoints out.

For each step: the loss of all answer tokens of `accumulation` rows on each process, divided by their number over all
processes; backward; the gradient scaled down to `clip_norm`; AdamW at the rate of the schedule. Everything else here
serves resuming after an interruption and stopping when something is wrong.

A GPU is given a whole step without a wait. What is known beforehand is exchanged between hosts; whether the step is a
bad one is decided on the GPU, where a bad one changes nothing; and the one read of a step, its losses and the norm of
its gradient, comes after AdamW was given to the GPU, whose work goes on meanwhile.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from curation.train.data.batch import TASKS, PackedBatch, Task
from curation.train.device import read_later, send
from curation.train.distributed import full_tensor, synchronised
from curation.train.loop import metrics
from curation.train.loop.learner import BadBatchError, Learner, Source
from curation.train.loop.losses import LossSums, autocast, means, next_rows
from curation.train.loop.validate import Validation

OnStep = Callable[[metrics.StepMetrics], None]


class Loader(Source, Protocol):
    """Packed rows of this process."""

    def __iter__(self) -> Iterator[PackedBatch]:
        """Continue from the position."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of a step before it is computed, over all processes: tokens, the model's operations, and answer
    tokens of each task, in the order of TASKS.
    """

    tokens: int
    flops: float
    counts: list[float]

    @property
    def answers(self) -> int:
        """Tokens that the loss covers."""
        return int(sum(self.counts))


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
        """Train until `run.steps`, until the data end or the run is told to end. Raises BadBatchError."""
        rows, saved = iter(self.loader), self.step
        begin = time.perf_counter()
        while self.step < self.config.run.steps and not self.stopped:
            batches = next_rows(rows, self.config.run.accumulation, self.world)
            if batches is None:
                break
            waited = time.perf_counter() - begin
            done = self.train_step(batches)
            report = self._metrics(done, begin, waited)
            if self.step == self.config.run.steps or self.step % self.config.run.validation_steps == 0:
                report.validation = self._validated()
            on_step(report)
            if self.step % self.config.run.save_steps == 0:
                self.save()
                saved = self.step
            begin = time.perf_counter()
        if saved != self.step:
            self.save()

    def _validated(self) -> dict[Task, float] | None:
        if self.validation is None:
            return None
        return self.validation.measure(self.module, self.world, self.config.run.precision)

    def train_step(self, batches: list[PackedBatch]) -> StepResult:
        """One update from the rows of this process. Raises BadBatchError; then nothing was changed."""
        gathered, work = LossSums.on(self.world.device), self._work(batches)
        for number, batch in enumerate(batches, 1):
            with synchronised(self.module, last=number == len(batches)):
                with autocast(self.world.device, self.config.run.precision):
                    total, losses = self.module(batch)
                # Gradients are averaged over processes, the loss is a mean over all their answers.
                (total * (self.world.size / max(1, work.answers))).backward()
            gathered.add(batch, losses)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip_norm)
        return self._update(gathered, full_tensor(norm), work)

    def _work(self, batches: list[PackedBatch]) -> Work:
        counts = [batch.answer_counts.double() for batch in batches]
        flops = [self._flops(batch, int(own.sum())) for batch, own in zip(batches, counts, strict=True)]
        own = torch.tensor([sum(batch.num_tokens for batch in batches), sum(flops)], dtype=torch.float64)
        tokens, operations, *answers = self.world.sum(torch.cat([own, torch.stack(counts).sum(0)])).tolist()
        return Work(int(tokens), operations, answers)

    def _update(self, gathered: LossSums, norm: torch.Tensor, work: Work) -> StepResult:
        limits = [self.watch.limit(task) for task in TASKS]
        known = torch.tensor([*work.counts, *limits, float(self.told())], dtype=torch.float64)
        known = send(known, self.world.device)
        found = self.world.sum(torch.cat([gathered.sums, known[-1:]]))
        read = read_later(torch.cat([found, norm[None].double()]))
        rate = self.descend(_refused(found[: len(TASKS)], known, norm))
        *sums, told, size = read()
        losses = means(sums, work.counts)
        problem = self.watch.problem(losses, size)
        if problem is not None:
            raise BadBatchError(self._explain(problem, gathered))
        self.watch.take(losses)
        self.step += 1
        self.tokens += work.tokens
        self.stopped = told > 0 and self.step < self.config.run.steps
        loss = sum(sums) / max(1, work.answers)
        return StepResult(loss, losses, rate, size, work.tokens, work.answers, work.flops)

    def _explain(self, problem: str, gathered: LossSums) -> str:
        """The samples of a bad step, worst first (not-a-number counts as worst)."""
        samples = [sample for own in self.world.gather(gathered.worst()) for sample in own]
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


def _refused(sums: torch.Tensor, known: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    """1 where `SpikeWatch.problem` has something to say, else 0, on the device; `known`: counts and limits by task."""
    counts, limits = known[: len(TASKS)], known[len(TASKS) : 2 * len(TASKS)]
    loss = sums / counts
    good = ((loss <= limits) & loss.isfinite()) | (counts == 0)
    return 1.0 - (good.all() & norm.isfinite()).float()
