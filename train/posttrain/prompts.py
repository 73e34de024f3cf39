"""Prompts of the corpus, in an order that can be resumed: that of the packed rows of its blocks, one after another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from curation.core.errors import DataError
from curation.core.records import Count, typed
from curation.tokenize.base import CodecTokens, Ids
from curation.tokenize.vocabulary import Vocabulary
from curation.train.data.batch import IGNORED, Task
from curation.train.data.blocks import Block, Blocks
from curation.train.data.order import REMEDY, VERSION, State, check_identity, identity_of
from curation.train.evaluate.scores import normalizer_of


@dataclass(frozen=True)
class Prompt:
    """What a model answers, and what a judge knows of the right answer."""

    task: Task
    key: str
    ids: Ids
    """(tokens,) vocabulary ids before the answer."""
    text: str
    """What is heard, or is to be said."""
    language: str
    answer: int
    """Tokens of the corpus's own answer, the end included."""
    voice: CodecTokens
    """Codes of an utterance of the voice that is to be heard."""


@dataclass(frozen=True, slots=True)
class _Position:
    version: int
    identity: dict[str, Any]
    block: Count
    sample: Count


class Prompts:
    """Hands out prompts; those whose text has no words are skipped and counted.

    `start` names the weights that the run began with: a resumed run must have them.
    """

    def __init__(self, blocks: Blocks, vocabulary: Vocabulary, start: str) -> None:
        self.skipped = 0
        self._blocks, self._vocabulary = blocks, vocabulary
        self._identity = {**identity_of(blocks), "start_from": start}
        self._at, self._sample = 0, 0
        self._open: tuple[int, list[Prompt]] = (-1, [])

    def take(self, count: int) -> list[Prompt]:
        """The next prompts; fewer at the end of the last epoch. Raises DataError where an epoch has none."""
        taken: list[Prompt] = []
        empty = 0
        while len(taken) < count and (self._blocks.total is None or self._at < self._blocks.total):
            prompts = self._block()
            if self._sample == len(prompts):
                self._at, self._sample, empty = self._at + 1, 0, empty + 1
                if empty > self._blocks.most_empty:
                    msg = (
                        f"{self._blocks.corpus.where}: no prompt with words fits: raise data.token_budget, or see to "
                        "data.posttrain and the texts"
                    )
                    raise DataError(msg)
                continue
            prompt = prompts[self._sample]
            self._sample += 1
            if normalizer_of(prompt.language, "auto").units(prompt.text):
                taken.append(prompt)
                empty = 0
            else:
                self.skipped += 1
        return taken

    def _block(self) -> list[Prompt]:
        """The prompts of the block that is due, in the order of its packed rows."""
        if self._open[0] != self._at:
            block = self._blocks.read(self._at)
            rows = range(len(block.rows))
            self._open = self._at, [prompt for row in rows for prompt in self._of_row(block, row)]
        return self._open[1]

    def _of_row(self, block: Block, row: int) -> Iterator[Prompt]:
        batch, _ = self._blocks.batch(block, row)
        utterances, codes = block.utterances, self._vocabulary.codes
        drafts = block.drafts.take(np.array(block.rows[row]))
        samples = [torch.split(tensor, batch.lengths.tolist()) for tensor in (batch.ids, batch.labels)]
        for place, (ids, labels) in enumerate(zip(*samples, strict=True)):
            target, reference = int(drafts.target[place]), int(drafts.reference[place])
            semantic, voice = (utterances.tokens[name][reference] for name in ("semantic", "global"))
            yield Prompt(
                task=batch.tasks[place],
                key=batch.keys[place],
                ids=ids[labels == IGNORED].numpy().astype(np.int32),
                text=utterances.texts[target],
                language=utterances.languages[target],
                answer=int((labels != IGNORED).sum()),
                voice=CodecTokens(codes("semantic", semantic), codes("global_", voice)),
            )

    def state_dict(self) -> State:
        """The position after the prompts handed out so far."""
        return {"version": VERSION, "identity": self._identity, "block": self._at, "sample": self._sample}

    @staticmethod
    def merge_states(states: Sequence[State]) -> State:
        """That of the only process."""
        return states[0]

    def load_state_dict(self, state: State) -> None:
        """Continue from a position. Raises DataError where data or settings are others, or it is damaged."""
        check_identity(state, self._identity)
        try:
            saved = typed(_Position, state)
        except ValueError as error:
            msg = f"position in the data: {error}: {REMEDY}"
            raise DataError(msg) from error
        self._at, self._sample = saved.block, saved.sample
