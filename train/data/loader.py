"""The data loader: packed rows from the shards of a build, in an order that does not depend on who reads them.

    loader = PackedLoader(open_corpus("corpus"), vocabulary, DataConfig(), rank=rank, world=world)
    for batch in loader:                      # without end, unless config.epochs bounds it
        ...
        state = loader.state_dict()           # after the batch just handed over
    loader.load_state_dict(loader.merge_states(states_of_all_ranks))

See docs/concepts/from-shard-to-batch.md for how samples are made, the order and its limits.
"""

import signal
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch.utils.data import DataLoader

from curation.tokenize.base import Vectors
from curation.tokenize.vocabulary import Stream, Vocabulary
from curation.train.data.batch import PackedBatch, RowCounts
from curation.train.data.blocks import Blocks
from curation.train.data.code_noise import CodeNoise
from curation.train.data.config import DataConfig, Phase
from curation.train.data.corpus import Corpus, check_tokenizers
from curation.train.data.order import (
    VERSION,
    PlacedRow,
    Rows,
    State,
    identity_of,
    merge_states,
    read_position,
    start_positions,
)
from curation.train.device import CPU


class PackedLoader:
    """Iterates over the packed rows of one rank.

    `tokenizer_fingerprint` is that of the model: other shards are refused (DataError). `code_vectors` are the
    vectors of each stream's codes, (codes, any size); only `config.code_noise` needs them. With `num_workers` the rows
    are made in that many processes, else in a thread, from where they are on their way to `device` before they are due.
    Only the state and `counts` change while it is read; iterating again continues.
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
        device: torch.device = CPU,
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
        self._device = device
        self._next = 0
        self._tail = False
        self._positions = start_positions(self._blocks)

    @property
    def epoch(self) -> float:
        """Epochs that are read, by blocks: 1.5 is the middle of the second."""
        return sum(block for block, _ in self._positions) / len(self._positions) / self._blocks.per_epoch

    def __iter__(self) -> Iterator[PackedBatch]:
        rows, ready = self._rows(), deque[Future[PlacedRow | None]]()
        ahead = not self._num_workers or self._device != CPU  # worker processes prefetch by themselves, on the host
        depth = self._blocks.config.prefetch if ahead else 0
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        try:
            while True:
                begin = time.perf_counter()
                while depth and len(ready) <= depth:
                    ready.append(pool.submit(self._sent, rows))
                placed = ready.popleft().result() if ready else self._sent(rows)
                self.waited_seconds += time.perf_counter() - begin
                if placed is None:
                    return
                self._next += self._world
                self._positions[placed.lane] = placed.position
                self.counts += placed.counts
                self._tail = self._tail or placed.batch is None
                if placed.batch is not None:
                    yield placed.batch
        finally:
            pool.shutdown(cancel_futures=True)
            rows.close()

    def _sent(self, rows: Iterator[PlacedRow]) -> PlacedRow | None:
        """A row that is on its way to the device."""
        placed = next(rows, None)
        if placed is not None and placed.batch is not None:
            placed.batch.on(self._device)
        return placed

    def _rows(self) -> Generator[PlacedRow, None, None]:
        rows = Rows(self._blocks, list(self._positions), self._next, self._rank, self._world)
        if self._num_workers == 0:
            yield from rows
            return
        yield from DataLoader(
            rows,
            batch_size=None,
            num_workers=self._num_workers,
            collate_fn=_as_it_is,
            prefetch_factor=max(self._blocks.config.prefetch, 1),
            multiprocessing_context="spawn",  # forked processes would inherit the locks of Arrow's threads
            worker_init_fn=_deaf_to_sigterm,
            generator=torch.Generator(),  # else it draws a seed from that of dropout, in a resumed run once more
        )

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

        Raises DataError where data, vocabulary or settings are others, the state is that of one rank of several, or
        damaged.
        """
        saved = read_position(state, self._blocks)
        self._next, self._tail, self._positions = saved.next, saved.tail, saved.lanes


def _as_it_is(item: Any) -> Any:
    return item


def _deaf_to_sigterm(_: int) -> None:
    """Schedulers send it to all processes, and the trainer needs its rows until its step is done; then they end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
