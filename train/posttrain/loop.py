"""The loop of post-training: answers to prompts, verdicts, an update; weights go back to the engine in memory.

The model's own log-probabilities come from training's forward pass, before the update (`old`) and in it, without
dropout, so that a ratio is of like with like. The reference is a frozen copy of the model that the run began with, or
the model without its adapters.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curation.train.data.batch import Task
from curation.train.distributed import full_tensor
from curation.train.infer.engine import Engine
from curation.train.infer.speech_model import SpeechModel
from curation.train.loop.learner import BadBatchError, Learner
from curation.train.loop.losses import autocast
from curation.train.model.lora import merged, without_adapters
from curation.train.model.loss import AnswerModel
from curation.train.posttrain.objective import answer_log_probs, divergence, dpo_loss, grpo_loss, is_clipped
from curation.train.posttrain.prompts import Prompt, Prompts
from curation.train.posttrain.rewards import Judge, Rewards, Verdict, advantages, ranked
from curation.train.posttrain.rollouts import Experience, Rollout, decoder_of, roll_out


@dataclass(slots=True)
class PosttrainMetrics:
    """One step. What was not measured is None: without a group that teaches something nothing is learned."""

    step: int
    rewards: dict[Task, float]
    """Mean of the judged answers, by task."""
    errors: dict[Task, float]
    """Mean error rate of them, 1 at most for each."""
    similarity: float | None
    """Mean similarity of their voices, of speech."""
    no_signal: float
    """Share of the groups whose rewards are about equal."""
    unfinished: float
    """Share of the answers that reached their limit."""
    failed: int
    """Answers that could not be judged; nothing else counts them."""
    skipped: int
    """Prompts without words since the run was started."""
    length: float
    """Mean tokens of an answer."""
    kl: float | None
    """Mean over tokens of the divergence from the reference, before the update."""
    clipped: float | None
    """Share of tokens whose ratio was clipped, over the updates (grpo)."""
    loss: float | None
    grad_norm: float | None
    learning_rate: float | None
    tokens: int
    """Tokens of prompts and answers since the first step."""
    tokens_per_second: float
    rolling: float
    """Share of the time that drawing the answers took,"""
    judging: float
    """and that judging them took."""

    def as_line(self) -> dict[str, Any]:
        """Plain values for a line of JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}


OnStep = Callable[[PosttrainMetrics], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """What an update says of itself, under the names of `PosttrainMetrics`."""

    kl: float | None = None
    clipped: float | None = None
    loss: float | None = None
    grad_norm: float | None = None
    learning_rate: float | None = None


@dataclass
class PostTrainer(Learner):
    """Learns from verdicts on its own answers. One process."""

    loader: Prompts
    _: KW_ONLY
    engine: SpeechModel
    """Opened with any weights: it gets those of the model."""
    judge: Judge
    frozen: AnswerModel | None
    """The reference; None: the model without its adapters, or none is needed."""

    def __post_init__(self) -> None:
        """Make the optimizer."""
        super().__post_init__()
        # Layers heed it in training mode alone, in which they do the same: dropout is refused.
        self.module.train(self.config.model.activation_checkpointing)
        self.policy = AnswerModel(self.model)

    def train(self, on_step: OnStep = lambda _: None) -> None:
        """Train until `run.steps`, until the prompts end or the run is told to end. Raises BadBatchError."""
        self.synchronise()
        saved = self.step
        while self.step < self.config.run.steps and not self.stopped:
            report = self.train_step()
            if report is None:
                break
            on_step(report)
            self.stopped = self.told() and self.step < self.config.run.steps
            if self.step % self.config.run.save_steps == 0:
                self.save()
                saved = self.step
        if saved != self.step:
            self.save()

    def synchronise(self) -> None:
        """Give the engine the weights of the model."""
        weights = {name: full_tensor(parameter.detach()) for name, parameter in self.model.named_parameters()}
        engine = self.engine.engine
        if not isinstance(engine, Engine):
            msg = "weights go to an engine of this process: open the model without another one"
            raise TypeError(msg)
        engine.use(decoder_of(merged(weights, self.config.lora.scale), engine.decoder))

    def train_step(self) -> PosttrainMetrics | None:
        """Answers to the next prompts, and what they teach; None where there are no prompts left."""
        begin = time.perf_counter()
        settings = self.config.posttrain
        prompts = self.loader.take(settings.prompts)
        if not prompts:
            return None
        rollouts = self._answers(prompts)
        rolled = time.perf_counter()
        verdicts = self.judge(rollouts)
        judged = time.perf_counter()
        rewards = self._rewards(rollouts, verdicts)
        learned = self._learn(rollouts, rewards)
        self.step += 1
        tokens = sum(len(rollout.prompt.ids) + len(rollout.ids) for rollout in rollouts)
        self.tokens += tokens
        seconds = time.perf_counter() - begin
        return PosttrainMetrics(
            **self._counted(rollouts, verdicts, len(ranked(rewards, settings.min_spread)) / len(prompts)),
            **asdict(learned),
            tokens=self.tokens,
            tokens_per_second=tokens / seconds,
            rolling=(rolled - begin) / seconds,
            judging=(judged - rolled) / seconds,
        )

    def _answers(self, prompts: Sequence[Prompt]) -> list[Rollout]:
        try:
            return roll_out(self.engine, prompts, self.config, self.step)
        except Exception as error:
            msg = (
                f"step {self.step + 1}: the engine could not draw answers ({error!r}). Where the weights have grown "
                "without bound (see loss and grad_norm) run again from the last checkpoint with a lower "
                "optimizer.learning_rate"
            )
            raise BadBatchError(msg) from error

    def _rewards(self, rollouts: Sequence[Rollout], verdicts: Sequence[Verdict | None]) -> Rewards:
        weight = self.config.posttrain.similarity
        if not any(verdicts):
            msg = (
                f"step {self.step + 1}: none of {len(rollouts)} answers could be judged (first: an answer to "
                f"{rollouts[0].prompt.key}); nothing was changed: see the warnings above, mend the judge and run again"
            )
            raise BadBatchError(msg)
        flat = [math.nan if verdict is None else verdict.reward(weight) for verdict in verdicts]
        return np.array(flat).reshape(-1, self.config.posttrain.group)

    def _counted(
        self, rollouts: Sequence[Rollout], verdicts: Sequence[Verdict | None], teaching: float
    ) -> dict[str, Any]:
        weight = self.config.posttrain.similarity
        known = [(one.prompt.task, verdict) for one, verdict in zip(rollouts, verdicts, strict=True) if verdict]
        voices = [verdict.similarity for _, verdict in known if verdict.similarity is not None]
        tasks = dict.fromkeys(task for task, _ in known)
        rewards = {task: [one.reward(weight) for name, one in known if name == task] for task in tasks}
        errors = {task: [one.error for name, one in known if name == task] for task in tasks}
        return {
            "step": self.step,
            "rewards": {task: float(np.mean(own)) for task, own in rewards.items()},
            "errors": {task: float(np.mean(own)) for task, own in errors.items()},
            "similarity": float(np.mean(voices)) if voices else None,
            "no_signal": 1 - teaching,
            "unfinished": float(np.mean([rollout.end < 0 for rollout in rollouts])),
            "failed": len(rollouts) - len(known),
            "skipped": self.loader.skipped,
            "length": float(np.mean([len(rollout.ids) for rollout in rollouts])),
        }

    def _learn(self, rollouts: Sequence[Rollout], rewards: Rewards) -> Learned:
        """The updates of a step, from the answers of groups that teach something."""
        settings = self.config.posttrain
        gains = advantages(rewards, settings.min_spread).ravel()
        chosen = [place for place, gain in enumerate(gains) if math.isfinite(gain)]
        pairs = ranked(rewards, settings.min_spread)
        if settings.method == "dpo":
            chosen = [place for pair in pairs for place in pair]
            pairs = [(2 * number, 2 * number + 1) for number in range(len(pairs))]
        if not chosen:
            return Learned()
        batch = Experience.of([rollouts[place] for place in chosen], self.config.data.token_budget)
        old = self._log_probs(self.policy, batch)
        reference = self._reference(batch)
        owner = batch.owner.to(old.device)
        gain = torch.tensor(gains[chosen], dtype=torch.float32, device=old.device)[owner]

        def loss(new: Tensor) -> Tensor:
            if settings.method == "dpo" and reference is not None:
                return dpo_loss(new, reference, owner, pairs, settings.beta)
            return grpo_loss(new, old, reference, gain, clip=settings.clip, kl=settings.kl)

        kl = None if reference is None else float(divergence(old, reference).mean())
        clipped = 0.0
        new = old
        for number in range(settings.updates):
            if number:
                new = self._log_probs(self.policy, batch)
                clipped += float(is_clipped(new, old, gain, settings.clip).float().mean())
            value, norm, rate = self._update(batch, new, loss)
        share = clipped / settings.updates if settings.method == "grpo" else None
        self.synchronise()
        return Learned(kl, share, value, norm, rate)

    def _reference(self, batch: Experience) -> Tensor | None:
        """Log-probabilities of the reference, where anything needs them."""
        if not self.config.posttrain.has_reference:
            return None
        if self.frozen is not None:
            return self._log_probs(self.frozen, batch)
        with without_adapters(self.model):
            return self._log_probs(self.policy, batch)

    def _log_probs(self, model: AnswerModel, batch: Experience) -> Tensor:
        with torch.no_grad(), autocast(self.world.device, self.config.run.precision):
            temperature = self.config.posttrain.temperature
            return torch.cat([answer_log_probs(model, row, allowed, temperature) for row, allowed in batch.rows])

    def _update(self, batch: Experience, new: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[float, float, float]:
        """One update: loss, norm of its gradient and rate. The loss is that of all rows at once: first its slope by
        each log-probability, then the gradient row by row.
        """
        leaf = new.detach().requires_grad_()
        total = loss(leaf)
        (slopes,) = torch.autograd.grad(total, leaf)
        value = float(total.detach())
        done = 0
        for row, allowed in batch.rows:
            with autocast(self.world.device, self.config.run.precision):
                found = answer_log_probs(self.policy, row, allowed, self.config.posttrain.temperature)
            (found * slopes[done : done + len(found)]).sum().backward()  # type: ignore[no-untyped-call]
            done += len(found)
        parameters = self.model.parameters()
        norm = float(full_tensor(torch.nn.utils.clip_grad_norm_(parameters, self.config.optimizer.clip_norm)))
        if not (math.isfinite(value) and math.isfinite(norm)):
            keys = ", ".join(dict.fromkeys(key for row, _ in batch.rows for key in row.keys))
            msg = (
                f"step {self.step + 1}: the loss is {value}, the norm of its gradient {norm}; the answers were "
                f"to {keys}. The last checkpoint is good: run again to continue from it, with a lower "
                "optimizer.learning_rate"
            )
            raise BadBatchError(msg)
        return value, norm, self.descend()
