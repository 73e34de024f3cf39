"""The data loader: packed rows from the shards of a build, in an order that does not depend on who reads them.

    loader = PackedLoader(open_corpus("corpus"), vocabulary, DataConfig(), rank=rank, world=world)
    for batch in loader:                      # without end, unless config.epochs bounds it
        ...
        state = loader.state_dict()           # after the batch just handed over
    loader.load_state_dict(loader.merge_states(states_of_all_ranks))

See docs/concepts/from-shard-to-batch.md for how samples are made, the order and its limits.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from curation.core.errors import DataError
from curation.tokenize.base import Vectors
from curation.tokenize.vocabulary import Stream, Vocabulary
from curation.train.data.batch import PackedBatch, RowCounts
from curation.train.data.blocks import Blocks
from curation.train.data.code_noise import CodeNoise
from curation.train.data.config import DataConfig, Phase
from curation.train.data.corpus import Corpus, check_tokenizers
from curation.train.data.order import (
    VERSION,
    LanePosition,
    PlacedRow,
    State,
    check_identity,
    identity_of,
    merge_states,
    read_rows,
    start_positions,
)
from curation.train.data.prefetch import prefetched


class PackedLoader:
    """Iterates over the packed rows of one rank.

    `tokenizer_fingerprint` is that of the model: other shards are refused (DataError). `code_vectors` are the
    vectors of each stream's codes, (codes, any size); only `config.code_noise` needs them. With `num_workers` the rows
    are made in that many processes, else in a thread. Only the state and `counts` change while it is read; iterating
    again continues.
    """

    def __init__(  # noqa: PLR0913 - all but three by name
        self,
        corpus: Corpus,
        vocabulary: Vocabulary,
        config: DataConfig,
        *,
        phase: Phase = "pretrain",
        rank: int = 0,
        world: int = 1,
        num_workers: int = 0,
        tokenizer_fingerprint: str | None = None,
        code_vectors: Mapping[Stream, Vectors] | None = None,
    ) -> None:
        if not 0 <= rank < world:
            msg = f"rank {rank} is not within 0..{world - 1}"
            raise ValueError(msg)
        check_tokenizers(corpus, vocabulary, tokenizer_fingerprint)
        self.tokenizers: dict[str, Any] = corpus.tokenizers
        """What the index says of the tokenizers: references, fingerprints, sizes."""
        self.counts = RowCounts()
        """Counts of what this loader has returned so far."""
        self.waited_seconds = 0.0
        """Seconds for which the trainer waited for rows."""
        noise = None
        if config.code_noise:
            if code_vectors is None:
                msg = "data.code_noise needs code_vectors= (train/model/code_embeddings.py makes them), or set it to 0"
                raise ValueError(msg)
            noise = CodeNoise(config.code_noise, vocabulary, code_vectors)
        self._blocks = Blocks(corpus, vocabulary, config, phase, noise)
        self._rank, self._world, self._num_workers = rank, world, num_workers
        self._next = 0
        self._tail = False
        self._positions = start_positions(self._blocks)

    @property
    def epoch(self) -> float:
        """Epochs that are read, by blocks: 1.5 is the middle of the second."""
        return sum(block for block, _ in self._positions) / len(self._positions) / self._blocks.per_epoch

    def __iter__(self) -> Iterator[PackedBatch]:
        items = self._items()
        try:
            while True:
                begin = time.perf_counter()
                item = next(items, None)
                self.waited_seconds += time.perf_counter() - begin
                if item is None:
                    return
                self._next += self._world
                self._positions[item.lane] = item.position
                self.counts += item.counts
                self._tail = self._tail or item.batch is None
                if item.batch is not None:
                    yield item.batch
        finally:
            items.close()

    def _items(self) -> Generator[PlacedRow, None, None]:
        source = _Rows(self._blocks, list(self._positions), self._next, self._rank, self._world)
        depth = self._blocks.config.prefetch
        if self._num_workers == 0:
            return prefetched(source, depth)
        loader = DataLoader(
            source,
            batch_size=None,
            num_workers=self._num_workers,
            collate_fn=_as_it_is,
            prefetch_factor=max(depth, 1),
            multiprocessing_context="spawn",  # forked processes would inherit the locks of Arrow's threads
        )
        return _closing(iter(loader))

    def state_dict(self) -> State:
        """Position of this rank after the rows handed over so far; plain values. `merge_states` joins all ranks'."""
        return {
            "version": VERSION,
            "identity": identity_of(self._blocks),
            "rank": self._rank,
            "world": self._world,
            "next": self._next,
            "tail": self._tail,
            "lanes": [list(position) for position in self._positions],
        }

    @staticmethod
    def merge_states(states: Sequence[State]) -> State:
        """The position of all ranks together, which any number of ranks can load. Raises DataError."""
        return merge_states(states)

    def load_state_dict(self, state: State) -> None:
        """Continue from the merged position of all ranks, whatever their number was; start a new iteration afterwards.

        Raises DataError where data, vocabulary or settings are others, or the state is that of one rank of several.
        """
        check_identity(state, identity_of(self._blocks))
        if state["world"] != 1:
            msg = f"position in the data: this is the state of one rank of {state['world']}; merge_states them first"
            raise DataError(msg)
        self._next, self._tail = state["next"], state["tail"]
        self._positions = [(block, row) for block, row in state["lanes"]]


class _Rows(IterableDataset[PlacedRow]):
    """The items of a rank, or of one worker process of it."""

    def __init__(self, blocks: Blocks, positions: list[LanePosition], base: int, rank: int, world: int) -> None:
        self._blocks, self._positions, self._base = blocks, positions, base
        self._rank, self._world = rank, world

    def __iter__(self) -> Iterator[PlacedRow]:
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        first = self._base + self._rank + self._world * number
        return read_rows(self._blocks, self._positions, self._base, first, self._world * count)


def _as_it_is(item: Any) -> Any:
    return item


def _closing(items: Iterator[PlacedRow]) -> Generator[PlacedRow, None, None]:
    yield from items
