"""The training objective: cross-entropy of the answers, with logits nowhere else.

Half of a row are prompts. Their logits would be computed only to be ignored, and those of a whole row at once would
take gigabytes with a vocabulary of 180,445; so the output layer runs on answers only, a few hundred at a time, and
its gradient is computed in the same pass (softmax minus one-hot), so that no logits are kept or computed twice.
"""

from typing import Any

import torch
from torch import nn

from curation.train.data.batch import PackedBatch
from curation.train.model.packed_attention import Packing, use_packed_attention
from curation.train.model.qwen3 import Qwen3

LOGITS_AT_ONCE = 2**22
"""Logits held at a time: 16 MiB in float32, within a CPU's last cache."""


class AnswerModel(nn.Module):
    """A transformers decoder that turns a packed row into its loss."""

    def __init__(self, model: Qwen3) -> None:
        super().__init__()
        use_packed_attention(model)
        self.model = model

    def forward(self, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """The sum of the losses of all answer tokens, and each of them, (answers,) float32 without gradient."""
        hidden, targets = self.states(batch)
        total, losses = CrossEntropy.apply(hidden, self.model.lm_head.weight, targets)  # type: ignore[no-untyped-call]
        return total, losses

    def states(self, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """The states that predict the answer tokens, (answers, width), and these, (answers,) int64.

        The row may be on another device than the model. The token before an answer token predicts it.
        """
        device, answers = self.model.device, batch.answers
        tensors = batch.ids[None], batch.positions[None], answers - 1, batch.labels[answers]
        ids, positions, before, targets = (tensor.to(device, non_blocking=True) for tensor in tensors)
        hidden = self.model.model(
            input_ids=ids, position_ids=positions, packing=Packing.of(batch.lengths, device), use_cache=False
        ).last_hidden_state[0]
        return hidden[before], targets


class CrossEntropy(torch.autograd.Function):
    """Output layer and cross-entropy in one: hidden (answers, width), weight (vocabulary, width) and targets (answers,)
    give the sum of the losses, and each of them without gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses, and the gradients for an upstream gradient of one."""
        kind = torch.get_autocast_dtype(hidden.device.type) if _autocast(hidden) else hidden.dtype
        output, rows = weight.detach().to(kind), max(1, LOGITS_AT_ONCE // len(weight))
        d_hidden = torch.empty_like(hidden)
        d_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            inputs, wanted = hidden[part].detach().to(kind), targets[part, None]
            logits = torch.log_softmax((inputs @ output.T).float(), dim=-1)
            losses[part] = -logits.gather(1, wanted)[:, 0]
            slope = logits.exp_().scatter_add_(1, wanted, torch.full_like(wanted, -1, dtype=torch.float32)).to(kind)
            d_hidden[part] = slope @ output
            if d_weight is None:
                continue
            if kind == d_weight.dtype:
                d_weight.addmm_(slope.T, inputs)
            else:
                d_weight += slope.T @ inputs
        ctx.save_for_backward(d_hidden, d_weight)
        ctx.mark_non_differentiable(losses)
        return losses.sum(), losses

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        """Scale by the gradient of the sum."""
        d_hidden, d_weight = ctx.saved_tensors
        return d_hidden * gradients[0], None if d_weight is None else d_weight * gradients[0], None


def _autocast(tensor: torch.Tensor) -> bool:
    return torch.is_autocast_enabled(tensor.device.type)
