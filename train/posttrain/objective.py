"""The objectives of post-training, as functions of the answers' log-probabilities.

GRPO (Shao et al. 2024, arXiv 2402.03300, equations 3 and 4): the clipped ratio times the advantage, minus a divergence
from the reference, averaged over all tokens of a step and not answer by answer, in which tokens of long answers would
count less (Yu et al. 2025, arXiv 2503.14476). DPO (Rafailov et al. 2023, arXiv 2305.18290, equation 7): of the best and
the worst answer of each group.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from curation.train.data.batch import PackedBatch
from curation.train.device import logits_at_once
from curation.train.infer.sampling import Allowed
from curation.train.model.loss import AnswerModel


def answer_log_probs(model: AnswerModel, batch: PackedBatch, allowed: Allowed, temperature: float) -> Tensor:
    """(answers,) float32: of each answer token among the allowed ids at this temperature, as the engine draws it.

    The output layer runs on these ids only; logits are computed again for the gradient, not kept.
    """
    hidden, targets = model.states(batch)
    matrix = model.model.lm_head.weight
    with torch.autocast(hidden.device.type, enabled=False):
        output = torch.cat([matrix[allowed.body.start : allowed.body.stop], matrix[list(allowed.ends)]]).float()
        choices = targets - allowed.body.start
        for place, end in enumerate(allowed.ends):
            choices = torch.where(targets == end, len(allowed.body) + place, choices)
        rows = max(1, logits_at_once(hidden.device) // len(allowed))
        parts = [
            checkpoint(_chosen, states, output, own, temperature, use_reentrant=False)
            for states, own in zip(torch.split(hidden.float(), rows), torch.split(choices, rows), strict=True)
        ]
    return torch.cat(parts)


def _chosen(hidden: Tensor, output: Tensor, choices: Tensor, temperature: float) -> Tensor:
    logits = functional.linear(hidden, output) / temperature
    return torch.log_softmax(logits, dim=1).gather(1, choices[:, None])[:, 0]


def divergence(new: Tensor, reference: Tensor) -> Tensor:
    """(tokens,) an unbiased estimate of KL(new || reference), never negative (Schulman 2020, k3)."""
    difference = reference - new
    return difference.exp() - difference - 1


def is_clipped(new: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """(tokens,) whether the ratio has gone as far as it may, in the direction of the advantage."""
    ratio = (new - old).exp()
    return torch.where(advantages > 0, ratio > 1 + clip, ratio < 1 - clip)


def grpo_loss(
    new: Tensor, old: Tensor, reference: Tensor | None, advantages: Tensor, *, clip: float, kl: float
) -> Tensor:
    """Mean over tokens; log-probabilities and advantages are (tokens,). `reference` None: without a divergence."""
    ratio = (new - old).exp()
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    if reference is not None:
        gain = gain - kl * divergence(new, reference)
    return -gain.mean()


def dpo_loss(new: Tensor, reference: Tensor, owner: Tensor, pairs: Sequence[tuple[int, int]], beta: float) -> Tensor:
    """Mean over pairs (better, worse) of answers; `owner` (tokens,) says which answer each token is of."""
    count = 1 + int(owner.max())
    gains = new.new_zeros(count).index_add(0, owner, new - reference)
    better, worse = torch.tensor(pairs, device=new.device).T
    return -functional.logsigmoid(beta * (gains[better] - gains[worse])).mean()
