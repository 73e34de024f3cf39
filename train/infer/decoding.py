"""Decode steps of fixed shapes: one token of each row, from buffers that never move.

A step of fewer rows is filled up to the next size of `SIZES`. On a GPU the step of each size is captured once as a
CUDA graph, sampling included, with kernels that torch's compiler has fused: a step then is a copy of its numbers to the
device, one replay, and a copy of the ids back. Elsewhere the same calls run one by one.

The host knows all that a step depends on but the cache and the penalised ids of the slots, so a step that failed leaves
nothing wrong behind.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from curation.train.infer.kv_cache import KvCache
from curation.train.infer.qwen3 import Qwen3Decoder
from curation.train.infer.sampling import Allowed, Chooser, Draw, Needs, Sampler

log = logging.getLogger(__name__)

SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Rows of captured steps, as far as the engine has slots; then all slots."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a captured step is for: rows, the tasks among them, and what their sampling needs."""

    rows: int
    tasks: tuple[Allowed, ...]
    needs: Needs


class Decoding:
    """Decodes the slots of a cache; one caller at a time."""

    def __init__(self, decoder: Qwen3Decoder, cache: KvCache, sampler: Sampler) -> None:
        self._decoder, self._cache, self._sampler = decoder, cache, sampler
        self._sizes = [*takewhile(lambda size: size < cache.slots, SIZES), cache.slots]
        is_cuda = decoder.embedding.is_cuda
        # 8 numbers a row: token, slot, position, task, and the four of Draw.settings; float64 holds them exactly
        self._host = torch.zeros(8, cache.slots, dtype=torch.float64, pin_memory=is_cuda)
        self._table = self._host.to(decoder.device, copy=True)
        self._ids = torch.zeros(cache.slots, dtype=torch.int64, device=decoder.device)
        self._pool = torch.cuda.graph_pool_handle() if is_cuda else None
        self._steps: dict[Shape, Callable[[], object]] = {}

    def __call__(self, tokens: Sequence[int], draws: Sequence[Draw]) -> list[int]:
        """Read one token of each slot of `draws`; gives the next id of each."""
        shape = Shape(
            rows=next(size for size in self._sizes if size >= len(draws)),
            tasks=tuple(
                sorted({draw.allowed for draw in draws}, key=lambda allowed: (allowed.body.start, allowed.ends))
            ),
            needs=Needs.of(draw.sampling for draw in draws),
        )
        if shape not in self._steps:
            self._fill([], [], shape)
            self._steps[shape] = self._captured(shape)
        self._fill(tokens, draws, shape)
        self._steps[shape]()
        ids: list[int] = self._ids[: len(draws)].tolist()
        for draw in draws:
            self._cache.lengths[draw.slot] += 1
        return ids

    def _fill(self, tokens: Sequence[int], draws: Sequence[Draw], shape: Shape) -> None:
        """Send the numbers of a step; rows beyond them read a token of the spare slot."""
        columns = [
            (token, draw.slot, self._cache.lengths[draw.slot], shape.tasks.index(draw.allowed), *draw.settings())
            for token, draw in zip(tokens, draws, strict=True)
        ]
        columns += [(0, self._cache.spare, 0, 0, 0.0, 1.0, 1.0, 0.0)] * (self._host.shape[1] - len(columns))
        self._host.copy_(torch.tensor(columns, dtype=torch.float64).T)
        self._table.copy_(self._host, non_blocking=True)

    def _captured(self, shape: Shape) -> Callable[[], object]:
        """Prepare the step of a shape; the buffers must hold rows of the spare slot."""
        if not self._table.is_cuda:
            return lambda: self._step(shape)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # compiles, and makes what is made once
            for _ in range(2):
                self._step(shape)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            self._step(shape)
        return graph.replay

    def _step(self, shape: Shape) -> None:
        table = self._table[:, : shape.rows]
        whole = table[:4].long()
        slots, task = whole[1], whole[3]
        hidden = self._decoder.decode(whole[:3], self._cache)
        chooser = Chooser.read(table[4:].to(hidden.dtype))
        ids: Tensor | None = None
        for number, allowed in enumerate(shape.tasks):
            own = self._sampler.choose(hidden, slots, allowed, chooser, shape.needs)
            ids = own if ids is None else torch.where(task == number, own, ids)
        if ids is not None:
            if shape.needs.penalty:
                self._sampler.note(slots, ids)
            self._ids[: shape.rows].copy_(ids)
