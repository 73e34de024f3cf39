"""The training objective: cross-entropy of the answers, with logits nowhere else.

Half of a row are prompts. Their logits would be computed only to be ignored, and those of a whole row at once would
take gigabytes with a vocabulary of 180,445; so the output layer runs on answers only, as many at a time as the device
has room for, and its gradient is computed in the same pass (softmax minus one-hot), so that no logits are kept or
computed twice.
"""

from typing import Any

import torch
from torch import nn

from curation.train.data.batch import PackedBatch
from curation.train.device import logits_at_once
from curation.train.model.packed_attention import use_packed_attention
from curation.train.model.qwen3 import Qwen3


class AnswerModel(nn.Module):
    """A transformers decoder that turns a packed row into its loss."""

    def __init__(self, model: Qwen3) -> None:
        super().__init__()
        use_packed_attention(model)
        self.model = model

    def forward(self, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """The sum of the losses of all answer tokens, and each of them, (answers,) float32 without gradient."""
        hidden, targets = self.states(batch)
        weight, at_once = self.model.lm_head.weight, logits_at_once(hidden.device)
        total, losses = CrossEntropy.apply(hidden, weight, targets, at_once)  # type: ignore[no-untyped-call]
        return total, losses

    def states(self, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """The states that predict the answer tokens, (answers, width), and these, (answers,) int64.

        The row may be on another device than the model. The token before an answer token predicts it.
        """
        row = batch.on(self.model.device)
        hidden = self.model.model(
            input_ids=row.ids, position_ids=row.positions, packing=row.packing, use_cache=False
        ).last_hidden_state[0]
        return hidden[row.before], row.targets


class CrossEntropy(torch.autograd.Function):
    """Output layer and cross-entropy in one: hidden (answers, width), weight (vocabulary, width) and targets (answers,)
    give the sum of the losses, and each of them without gradient. Of the logits about `at_once` are held at a time.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, at_once: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses, and the gradients for an upstream gradient of one."""
        kind = torch.get_autocast_dtype(hidden.device.type) if _autocast(hidden) else hidden.dtype
        output, rows = weight.detach().to(kind), max(1, at_once // len(weight))
        d_hidden = torch.empty_like(hidden)
        exact = torch.promote_types(weight.dtype, torch.float32)  # FSDP2 gathers weights in bfloat16
        d_weight = torch.zeros_like(weight, dtype=exact) if ctx.needs_input_grad[1] else None
        losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            inputs, wanted = hidden[part].detach().to(kind), targets[part, None]
            logits = torch.log_softmax(inputs @ output.T, dim=-1, dtype=torch.float32)
            own = logits.gather(1, wanted)
            losses[part] = -own[:, 0]
            same = kind == logits.dtype  # else each is read once, and written in its precision
            slope = torch.exp(logits, out=logits if same else torch.empty_like(logits, dtype=kind))
            slope.scatter_(1, wanted, (own.exp() - 1).to(kind))
            d_hidden[part] = slope @ output
            if d_weight is None:
                continue
            if kind == d_weight.dtype:
                d_weight.addmm_(slope.T, inputs)
            else:
                d_weight += slope.T @ inputs
        ctx.save_for_backward(d_hidden, d_weight)
        ctx.kind = weight.dtype
        ctx.mark_non_differentiable(losses)
        return losses.sum(), losses

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None, None]:
        """Scale by the gradient of the sum."""
        d_hidden, d_weight = ctx.saved_tensors
        scaled = None if d_weight is None else (d_weight * gradients[0]).to(ctx.kind)
        return d_hidden * gradients[0], scaled, None, None


def _autocast(tensor: torch.Tensor) -> bool:
    return torch.is_autocast_enabled(tensor.device.type)
