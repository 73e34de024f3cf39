"""Blocks: some slices of the corpus, shuffled, turned into samples and packed, from the number of the block alone.

Blocks are numbered through all epochs. They share no state, so any block can be remade at any time by any process;
hence the position in the data is a few small numbers.
"""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import torch

from curation.core.errors import DataError
from curation.tokenize.layouts import lay_out
from curation.tokenize.vocabulary import Vocabulary
from curation.train.data.batch import TASKS, PackedBatch, RowCounts
from curation.train.data.choice import Choice
from curation.train.data.code_noise import CodeNoise
from curation.train.data.config import DataConfig, Phase
from curation.train.data.corpus import Corpus, Slice
from curation.train.data.packing import pack
from curation.train.data.samples import LAYOUT_OF, SOURCES, Drafts, draft_samples, key_of
from curation.train.data.utterances import COLUMNS, Utterances, utterances_of

ORDER, CONTENT, NOISE = 1, 2, 3
"""The purpose of a random generator, so that two never give the same numbers."""
MOST_EPOCHS = 100
"""Epochs that are searched for a sample."""


@dataclass(frozen=True, slots=True)
class Block:
    """The samples of a block, the rows that they are packed into (indices of `drafts`), and counts of the others."""

    number: int
    utterances: Utterances
    drafts: Drafts
    rows: list[list[int]]
    left_out: RowCounts


@dataclass(frozen=True)
class Blocks:
    """All blocks of a training run on a corpus."""

    corpus: Corpus
    vocabulary: Vocabulary
    config: DataConfig
    phase: Phase
    noise: CodeNoise | None = None

    def __post_init__(self) -> None:
        """Raise DataError for a corpus without rows, or weights that are all zero."""
        if not self.choice.slices:
            msg = f"{self.corpus.where}: no utterances were kept"
            raise DataError(msg)
        weights = self.config.weights(self.phase)
        if not any(getattr(weights, task) for task in TASKS):
            msg = f"data.{self.phase}: all weights are 0"
            raise DataError(msg)

    @cached_property
    def choice(self) -> Choice:
        """What is used of the corpus."""
        return Choice.of(self.corpus, self.config)

    @cached_property
    def per_epoch(self) -> int:
        """Blocks of an epoch."""
        rows = max(one.stop - one.start for one in self.choice.slices)
        return -(-len(self.choice.slices) // max(1, self.config.block_rows // rows))

    @property
    def total(self) -> int | None:
        """Blocks of all epochs; None without end."""
        return self.config.epochs * self.per_epoch if self.config.epochs else None

    @property
    def most_empty(self) -> int:
        """Blocks without a sample in a row, of which it follows that none has any: with weights below 1 an utterance
        has samples in some epochs only.
        """
        weights = self.config.weights(self.phase)
        most: float = max(getattr(weights, task) for task in TASKS)
        return self.per_epoch * min(max(1, math.ceil(1 / most)), MOST_EPOCHS)

    @property
    def lanes(self) -> int:
        """Blocks that are mixed: not more than an epoch has, else a small corpus would mix epochs."""
        return min(self.config.lanes, self.per_epoch)

    def slices(self, number: int) -> list[Slice]:
        """The slices of a block: each epoch distributes all of them again."""
        epoch, place = divmod(number, self.per_epoch)
        order = _order(self.config.seed, epoch, len(self.choice.slices))
        low, high = (len(order) * edge // self.per_epoch for edge in (place, place + 1))
        return [self.choice.slices[i] for i in order[low:high]]

    def read(self, number: int) -> Block:
        """Read a block, decide its samples and pack them."""
        rows = self.corpus.read(self.slices(number), [*COLUMNS, *self.choice.columns])
        table, rates = self.choice.take(rows)
        utterances = utterances_of(table, self.vocabulary, self.corpus.where)
        generator = np.random.default_rng([self.config.seed, CONTENT, number])
        drafts = draft_samples(utterances, self.config, self.phase, number // self.per_epoch, generator, rates)
        fits = drafts.length <= self.config.longest
        left_out = RowCounts(
            over_long=Counter(TASKS[task] for task in drafts.task[~fits]), longest=int(drafts.length.max(initial=0))
        )
        drafts = drafts.take(generator.permutation(np.flatnonzero(fits)))
        rows = pack(drafts.length.tolist(), self.config.token_budget, self.config.open_rows)
        # Rows are closed roughly from full to less full: shuffled, so that the loss does not follow that.
        return Block(number, utterances, drafts, [rows[i] for i in generator.permutation(len(rows))], left_out)

    def batch(self, block: Block, row: int) -> tuple[PackedBatch, RowCounts]:
        """The tensors of a row, and what it counts."""
        drafts, utterances = block.drafts.take(np.array(block.rows[row])), block.utterances
        tasks = [TASKS[task] for task in drafts.task]
        keys, sequences = [], []
        for i, task in enumerate(tasks):
            rows = {whose: int(getattr(drafts, whose)[i]) for whose in ("target", "source", "reference")}
            ids = {name: utterances.tokens[kind][rows[whose]] for name, (kind, whose) in SOURCES[task].items()}
            sequences.append(lay_out(LAYOUT_OF[task], ids, self.vocabulary))
            keys.append(key_of(task, rows, utterances))
        batch = PackedBatch.of(sequences, tasks, keys)
        if self.noise is not None:
            generator = np.random.default_rng([self.config.seed, NOISE, block.number, row])
            batch.ids = torch.from_numpy(self.noise(batch.ids.numpy(), generator))
        return batch, self._counts(drafts, len(batch.answers))

    def _counts(self, drafts: Drafts, answer_tokens: int) -> RowCounts:
        voiced = drafts.task != TASKS.index("asr")
        return RowCounts(
            rows=1,
            capacity=self.config.token_budget,
            tokens=int(drafts.length.sum()),
            answer_tokens=answer_tokens,
            samples=Counter(TASKS[task] for task in drafts.task),
            own_voice=int(np.sum(voiced & (drafts.reference == drafts.target))),
            parallel=int(np.sum(drafts.source != drafts.target)),
        )


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, slices: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, ORDER, epoch]).permutation(slices)
