"""The order of packed rows, the position of a reader, and that position as plain values.

Row number p of the whole training comes from lane p mod L; lane l runs through the blocks l, l + L, l + 2L, ... So the
order depends on the corpus, the configuration and the phase, never on the readers. A reader takes every `stride`-th
row.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from curation.core.errors import DataError
from curation.core.records import Count, typed
from curation.train.data.batch import PackedBatch, RowCounts
from curation.train.data.blocks import Block, Blocks

State = dict[str, Any]
"""The position in the data as plain values for a checkpoint: of one rank, or of all of them together."""
VERSION = 1
REMEDY = "restore it from a copy, or remove the checkpoint to go on from the one before"

LanePosition = tuple[int, int]
"""Where a lane continues: number of the block, row within it."""


@dataclass(frozen=True, slots=True)
class Position:
    """A saved state, checked: `lanes` are the positions of all lanes just before row number `next`."""

    version: int
    identity: dict[str, Any]
    rank: int
    world: int
    next: Count
    tail: bool
    lanes: list[tuple[Count, Count]]


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
class LaneRow:
    """A row of a block, None after the last epoch; `left_out` are samples left out since the row before it.

    `position` is where the lane continues after it.
    """

    block: Block | None
    row: int
    position: LanePosition
    left_out: RowCounts


def lane_rows(blocks: Blocks, lane: int, position: LanePosition, pool: ThreadPoolExecutor) -> Iterator[LaneRow]:
    """The rows of a lane from a position, without their tensors; after the last epoch an end without end.

    `pool` makes the next block before it is due. Raises DataError where no sample fits.
    """
    (at, row), left_out, empty = position, RowCounts(), 0
    following: Future[Block] | None = None
    while _is_block(blocks, at):
        block = following.result() if following else blocks.read(at)
        following = None
        if row == 0:
            left_out += block.left_out
        while row < len(block.rows):
            row += 1
            # Lanes would otherwise all need their next block at about the same time, and the reader would wait.
            due = row > len(block.rows) * (lane + 1) // (blocks.lanes + 1)
            if due and following is None and _is_block(blocks, at + blocks.lanes):
                following = pool.submit(blocks.read, at + blocks.lanes)
            yield LaneRow(block, row - 1, (at, row), left_out)
            left_out, empty = RowCounts(), 0
        empty += not block.rows
        if empty > blocks.most_empty:
            raise DataError(_nothing_fits(blocks, left_out))
        at, row = at + blocks.lanes, 0
    while True:
        yield LaneRow(None, 0, (at, row), left_out)
        left_out = RowCounts()


def _is_block(blocks: Blocks, number: int) -> bool:
    return blocks.total is None or number < blocks.total


def _nothing_fits(blocks: Blocks, left_out: RowCounts) -> str:
    where, phase, config = blocks.corpus.where, blocks.phase, blocks.config
    if not left_out.longest:
        return f"{where}: no sample at all in phase {phase}: texts are empty, or the weights in data.{phase} are 0"
    return (
        f"{where}: no sample of phase {phase} fits {config.longest} tokens (the longest has {left_out.longest}): "
        "raise data.token_budget and data.max_sample_tokens"
    )


def start_positions(blocks: Blocks) -> list[LanePosition]:
    """Where the lanes start."""
    return [(lane, 0) for lane in range(blocks.lanes)]


@dataclass
class Rows(IterableDataset[PlacedRow]):
    """The rows of a rank, without end or until all their lanes have ended; in a worker process its share of them.

    `positions` are those of all lanes just before row number `base`.
    """

    blocks: Blocks
    positions: Sequence[LanePosition]
    base: int
    rank: int
    world: int

    def __iter__(self) -> Iterator[PlacedRow]:
        """Every row of a reader, in order."""
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        first, stride, lanes = self.base + self.rank + self.world * number, self.world * count, self.blocks.lanes
        turns = lanes // math.gcd(stride, lanes)  # after as many rows the reader is at its first lane again
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blocks")
        reading = {}
        for place in range(first, first + stride * turns, stride):
            lane = place % lanes
            rows = lane_rows(self.blocks, lane, self.positions[lane], pool)
            # Other readers have the rows of the lane in between.
            reading[lane] = islice(rows, (place - self.base) // lanes, None, stride * turns // lanes)
        going_on = set(reading)
        try:
            for lane, rows in cycle(reading.items()):
                row = next(rows)
                batch, counts = self.blocks.batch(row.block, row.row) if row.block else (None, RowCounts())
                yield PlacedRow(batch, lane, row.position, counts + row.left_out)
                if row.block is None:
                    going_on.discard(lane)
                    if not going_on:
                        return
        finally:
            pool.shutdown(cancel_futures=True)


def identity_of(blocks: Blocks) -> dict[str, Any]:
    """All that determines the order of samples."""
    apart = {
        "prefetch",
        "epochs",
        "pretrain",
        "sft",
        "posttrain",
        "code_noise",
        "split",
        "tiers",
        "temperature",
        "balance",
    }
    return {
        "corpus": blocks.corpus.identity,
        "tokenizers": blocks.corpus.tokenizers["fingerprint"],
        "vocabulary": blocks.vocabulary.fingerprint,
        "phase": blocks.phase,
        **blocks.config.model_dump(mode="json", exclude=apart),
        "weights": blocks.config.weights(blocks.phase).model_dump(),
        **blocks.choice.identity,
    }


def check_identity(state: State, identity: dict[str, Any]) -> None:
    """Raise DataError where a state was saved with other data or settings."""
    if state.get("version") != VERSION:
        msg = f"position in the data: version {state.get('version')}, this software reads {VERSION}"
        raise DataError(msg)
    saved = state.get("identity")
    if not isinstance(saved, dict):
        msg = f"position in the data: identity: should be a dictionary: {REMEDY}"
        raise DataError(msg)
    changes = [
        f"{name} was {saved.get(name)!r} and is {identity.get(name)!r}"
        for name in sorted(saved.keys() | identity.keys())
        if saved.get(name) != identity.get(name)
    ]
    if changes:
        msg = (
            f"cannot resume at the saved position in the data: {'; '.join(changes)}: give the run what it had, or "
            "begin another one from its weights, with --set model.start_from=RUN"
        )
        raise DataError(msg)


def read_position(state: State, blocks: Blocks) -> Position:
    """The merged position of all ranks. Raises DataError where it does not fit these data, or is damaged."""
    check_identity(state, identity_of(blocks))
    try:
        saved = typed(Position, state)
        if len(saved.lanes) != blocks.lanes or any(at % blocks.lanes != i for i, (at, _) in enumerate(saved.lanes)):
            msg = f"lanes: should be the blocks of {blocks.lanes} lanes"
            raise ValueError(msg)
    except ValueError as error:
        msg = f"position in the data: {error}: {REMEDY}"
        raise DataError(msg) from error
    if saved.world != 1:
        msg = f"position in the data: this is the state of one rank of {saved.world}; merge_states them first"
        raise DataError(msg)
    return saved


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
