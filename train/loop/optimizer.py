"""AdamW, and its learning rate at each step: linear warm-up, then half a cosine."""

import math
from typing import Any

import torch
from torch import nn

from curation.train.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Fused AdamW. Norms are not decayed, nor is the embedding: it is the output layer too, and ids that are rare in
    the shards have hardly a gradient that would hold against the decay.
    """
    settings = config.optimizer
    embeddings = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    kept: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    for parameter in filter(lambda parameter: parameter.requires_grad, model.parameters()):
        (kept if parameter.ndim <= 1 or id(parameter) in embeddings else decayed).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=settings.betas, eps=settings.epsilon, fused=True)


def learning_rate(step: int, config: TrainConfig) -> float:
    """The rate of a step, counted from 0: it rises over `warmup_steps` and falls to `final_fraction` of the peak."""
    settings, steps = config.optimizer, config.run.steps
    if step < settings.warmup_steps:
        return config.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    cosine = (1 + math.cos(math.pi * min(1.0, done))) / 2
    return config.learning_rate * (settings.final_fraction + (1 - settings.final_fraction) * cosine)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """For all groups of parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate
