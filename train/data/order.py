"""The order of packed rows, the position of a reader, and that position as plain values.

Row number p of the whole training comes from lane p mod L; lane l runs through the blocks l, l + L, l + 2L, ... So the
order depends on the corpus, the configuration and the phase, never on the readers. A reader takes every `stride`-th
row.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from curation.core.errors import DataError
from curation.train.data.batch import PackedBatch, RowCounts
from curation.train.data.blocks import Block, Blocks

State = dict[str, Any]
"""The position in the data as plain values for a checkpoint: of one rank, or of all of them together."""
VERSION = 1

LanePosition = tuple[int, int]
"""Where a lane continues: number of the block, row within it."""


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A packed row with its place in the order; `batch` is None where its lane has come to the end of the last epoch.

    `position` is where the lane continues after it.
    """

    batch: PackedBatch | None
    lane: int
    position: LanePosition
    counts: RowCounts


@dataclass(frozen=True, slots=True)
class LaneStep:
    """A row of a block, None after the last epoch; `left_out` are samples left out since the row before it."""

    block: Block | None
    row: int
    left_out: RowCounts


class Lane:
    """One lane, read from a position. The next block is made in the background before it is due."""

    def __init__(self, blocks: Blocks, number: int, position: LanePosition, pool: ThreadPoolExecutor) -> None:
        self._blocks = blocks
        self._number = number
        self._at, self._row = position
        self._pool = pool
        self._block: Block | None = None
        self._next: Future[Block] | None = None

    @property
    def position(self) -> LanePosition:
        """Where it continues."""
        return self._at, self._row

    def advance(self) -> LaneStep:
        """Skip the next row, without making its tensors."""
        left_out, empty = RowCounts(), 0
        while not self._ended:
            block = self._current()
            if self._row == 0:
                left_out += block.left_out
            if self._row < len(block.rows):
                self._row += 1
                # Lanes would otherwise all need their next block at about the same time, and the reader would wait.
                if self._row > len(block.rows) * (self._number + 1) // (self._blocks.lanes + 1):
                    self._fetch_next()
                return LaneStep(block, self._row - 1, left_out)
            empty += not block.rows
            if empty > self._blocks.per_epoch:
                raise DataError(self._nothing_fits(left_out))
            self._at, self._row, self._block = self._at + self._blocks.lanes, 0, None
        return LaneStep(None, 0, left_out)

    def _nothing_fits(self, left_out: RowCounts) -> str:
        where, phase, config = self._blocks.corpus.where, self._blocks.phase, self._blocks.config
        if not left_out.longest:
            return f"{where}: no sample at all in phase {phase}: texts are empty, or the weights in data.{phase} are 0"
        return (
            f"{where}: no sample of phase {phase} fits {config.longest} tokens (the longest has {left_out.longest}): "
            "raise data.token_budget and data.max_sample_tokens"
        )

    @property
    def _ended(self) -> bool:
        return self._blocks.total is not None and self._at >= self._blocks.total

    def _current(self) -> Block:
        if self._block is None:
            self._block = self._next.result() if self._next else self._blocks.read(self._at)
            self._next = None
        return self._block

    def _fetch_next(self) -> None:
        number = self._at + self._blocks.lanes
        total = self._blocks.total
        if self._next is None and (total is None or number < total):
            self._next = self._pool.submit(self._blocks.read, number)


def start_positions(blocks: Blocks) -> list[LanePosition]:
    """Where the lanes start."""
    return [(lane, 0) for lane in range(blocks.lanes)]


def read_rows(
    blocks: Blocks, positions: Sequence[LanePosition], base: int, first: int, stride: int
) -> Iterator[PlacedRow]:
    """The rows number `first`, `first + stride`, ... of the training, without end or until all their lanes have ended.

    `positions` are those of all lanes just before row number `base`.
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blocks")
    lanes = [Lane(blocks, number, position, pool) for number, position in enumerate(positions)]
    numbers = [base + (lane - base) % len(lanes) for lane in range(len(lanes))]  # of each lane's next row
    mine = {(first + stride * k) % len(lanes) for k in range(len(lanes))}
    number = first
    try:
        while mine:
            place = number % len(lanes)
            lane = lanes[place]
            step = lane.advance()
            while numbers[place] < number:  # rows of this lane that other readers have
                numbers[place] += len(lanes)
                step = lane.advance()
            numbers[place] += len(lanes)
            if step.block is None:
                mine.discard(place)
                yield PlacedRow(None, place, lane.position, step.left_out)
            else:
                batch, counts = blocks.batch(step.block, step.row)
                yield PlacedRow(batch, place, lane.position, counts + step.left_out)
            number += stride
    finally:
        pool.shutdown(cancel_futures=True)


def identity_of(blocks: Blocks) -> dict[str, Any]:
    """All that determines the order of samples."""
    return {
        "corpus": blocks.corpus.identity,
        "tokenizers": blocks.corpus.tokenizers["fingerprint"],
        "vocabulary": blocks.vocabulary.fingerprint,
        "phase": blocks.phase,
        **blocks.config.model_dump(mode="json", exclude={"prefetch", "epochs", "pretrain", "sft", "code_noise"}),
        "weights": blocks.config.weights(blocks.phase).model_dump(),
    }


def check_identity(state: State, identity: dict[str, Any]) -> None:
    """Raise DataError where a state was saved with other data or settings."""
    if state.get("version") != VERSION:
        msg = f"position in the data: version {state.get('version')}, this software reads {VERSION}"
        raise DataError(msg)
    saved = state["identity"]
    changes = [
        f"{name} was {saved.get(name)!r} and is {identity.get(name)!r}"
        for name in sorted(saved.keys() | identity.keys())
        if saved.get(name) != identity.get(name)
    ]
    if changes:
        msg = f"cannot resume at the saved position in the data: {'; '.join(changes)}"
        raise DataError(msg)


def merge_states(states: Sequence[State]) -> State:
    """The position of all ranks together, which any number of ranks can load.

    Raises DataError where a rank is missing or they are not at the same step. In the last rows of bounded epochs ranks
    that share a lane differ; then a few of those rows may be skipped.
    """
    if not states:
        msg = "position in the data: no states to merge"
        raise DataError(msg)
    ranks = sorted(state["rank"] for state in states)
    if ranks != list(range(states[0]["world"])):
        msg = f"position in the data: states of the ranks {ranks}, expected all of {states[0]['world']}"
        raise DataError(msg)
    for state in states[1:]:
        check_identity(state, states[0]["identity"])
    places = sorted({state["next"] for state in states})
    # Once a lane has come to the end of the last epoch, its ranks skip its places, and their steps decide.
    tail = any(state["tail"] for state in states)
    if len(places) > 1 and not tail:
        msg = f"position in the data: the ranks stand at different rows ({places}): save between steps"
        raise DataError(msg)
    # The rank that had a lane's last row knows where the lane is; the others know an earlier place.
    lanes = [max(positions) for positions in zip(*(state["lanes"] for state in states), strict=True)]
    return {**states[0], "rank": 0, "world": 1, "next": places[-1], "tail": tail, "lanes": lanes}
