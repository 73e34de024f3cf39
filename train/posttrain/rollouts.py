"""Rollouts: the model's own answers to prompts, drawn by the engine of inference, and packed for training.

A group are the answers to one prompt. Each is drawn among all ids of its task at one temperature, without top-p and
without a penalty, so that what it was drawn from is a softmax whose log-probabilities training can compute again. Its
random numbers follow from the seed of the data, the step and its place alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from curation.tokenize.base import Ids
from curation.tokenize.layouts import Sequence as Tokens
from curation.train.checkpoint.tensors import Tensors
from curation.train.config import TrainConfig
from curation.train.data.batch import PackedBatch, Task
from curation.train.data.packing import pack
from curation.train.infer.backends.base import Answer, Request
from curation.train.infer.qwen3 import Qwen3Decoder
from curation.train.infer.sampling import Allowed, Sampling
from curation.train.infer.speech_model import SpeechModel
from curation.train.posttrain.prompts import Prompt

ROOM = 2
"""Times the tokens of the corpus's own answer that an answer may have,"""
MORE_ROOM = 20
"""and as many tokens more: what is longer has lost its way."""


@dataclass(frozen=True)
class Rollout:
    """An answer (tokens,) without its end, and that end, -1 where it reached its limit."""

    prompt: Prompt
    allowed: Allowed
    ids: Ids
    end: int

    @property
    def tokens(self) -> Tokens:
        """Prompt and answer, with its end, as training reads them."""
        ends = [self.end] if self.end >= 0 else []
        joined = np.concatenate([self.prompt.ids, self.ids, np.array(ends, np.int32)])
        return Tokens(joined, np.arange(len(joined)) >= len(self.prompt.ids))


def roll_out(model: SpeechModel, prompts: Sequence[Prompt], config: TrainConfig, step: int) -> list[Rollout]:
    """`posttrain.group` answers to each prompt, group by group. Raises what a step of the engine raised."""
    group = config.posttrain.group
    requests = [
        _request(model, prompt, config, (step << 32) + place * group + member)
        for place, prompt in enumerate(prompts)
        for member in range(group)
    ]
    answers = model.engine.run(requests)
    return [_rollout(prompts[place // group], answer) for place, answer in enumerate(answers)]


def _request(model: SpeechModel, prompt: Prompt, config: TrainConfig, number: int) -> Request:
    sampling = Sampling(config.posttrain.temperature, seed=(config.data.seed << 64) + number)
    limit = min(ROOM * prompt.answer + MORE_ROOM, config.data.token_budget - len(prompt.ids) - 1)
    return Request(prompt.ids, allowed_for(model, prompt.task), max(1, limit), sampling)


def allowed_for(model: SpeechModel, task: Task) -> Allowed:
    """Ids that an answer of this task may hold."""
    return model.text_ids if task == "asr" else model.speech_ids


def _rollout(prompt: Prompt, answer: Answer) -> Rollout:
    return Rollout(prompt, answer.request.allowed, np.array(answer.ids, np.int32), answer.end)


@dataclass(frozen=True)
class Experience:
    """Rollouts in packed rows. `rows` hold answers of one set of ids each; `owner` (answer tokens,) says for each
    token, row after row, which rollout it is of.
    """

    rows: list[tuple[PackedBatch, Allowed]]
    owner: torch.Tensor

    @classmethod
    def of(cls, rollouts: Sequence[Rollout], budget: int) -> "Experience":
        """Pack rollouts into rows of at most `budget` tokens."""
        tokens = [rollout.tokens for rollout in rollouts]
        rows, owners = [], []
        for allowed in dict.fromkeys(rollout.allowed for rollout in rollouts):
            own = [place for place, rollout in enumerate(rollouts) if rollout.allowed == allowed]
            for members in pack([len(tokens[place].ids) for place in own], budget, len(own)):
                places = [own[member] for member in members]
                about = [rollouts[place].prompt for place in places]
                row = PackedBatch.of(
                    [tokens[place] for place in places], [one.task for one in about], [one.key for one in about]
                )
                rows.append((row, allowed))
                owners.append(torch.tensor(places)[row.answer_samples])
        return cls(rows, torch.cat(owners) if owners else torch.zeros(0, dtype=torch.int64))


def decoder_of(weights: Tensors, like: Qwen3Decoder) -> Qwen3Decoder:
    """A decoder with these weights (those of a plain checkpoint, which it may share), of the sizes of another."""
    return Qwen3Decoder(like.sizes, weights, like.dtype, like.device)
