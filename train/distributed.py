"""Several processes: the rank of this one, distribution of the model, sums over all.

Under `torchrun` (or Ray Train) the environment names the process; alone there is nothing to do.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import distributed, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from curation.core.errors import ConfigError

CPU = torch.device("cpu")
Kind = Literal["ddp", "fsdp2"]


@dataclass(frozen=True)
class World:
    """One process, this one, among `size` of them."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum of a tensor over all processes, on the CPU."""
        values = values.to(self.device)
        if self.size > 1:
            distributed.all_reduce(values)
        return values.cpu()

    def gather(self, value: Any) -> list[Any]:
        """The value of each process, in order of rank, on every process."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that `torchrun` or Ray Train started; leaves the group that it made itself."""
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    place = _device(device)
    ours = size > 1 and not distributed.is_initialized()
    if ours:
        distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield World(rank, size, place)
    finally:
        if ours:
            distributed.destroy_process_group()


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        msg = "run.device=cuda: PyTorch finds no GPU here; use run.device=cpu, or install a CUDA build of torch"
        raise ConfigError(msg)
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def distribute(module: nn.Module, layers: nn.ModuleList, kind: Kind, world: World) -> nn.Module:
    """Distribute a model over the processes: copies (DDP), or shards of each layer (FSDP2)."""
    if world.size == 1:
        return module
    if kind == "ddp":
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(module)
    from torch.distributed.device_mesh import init_device_mesh

    mesh = init_device_mesh(world.device.type, (world.size,))
    for layer in layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


@contextmanager
def synchronised(module: nn.Module, *, last: bool) -> Iterator[None]:
    """Exchange gradients only after the last packed row of a step."""
    if isinstance(module, nn.parallel.DistributedDataParallel) and not last:
        with module.no_sync():
            yield
        return
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)
    yield


def reshard(module: nn.Module) -> None:
    """Reshard what a forward pass without a backward pass leaves unsharded (FSDP2: the weights outside of layers)."""
    if isinstance(module, FSDPModule):
        module.reshard()


def full_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor assembled from its shards; all processes must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@torch.no_grad()
def copy_full(target: torch.Tensor, value: torch.Tensor) -> None:
    """Copy a whole tensor into one that may be sharded."""
    if isinstance(target, DTensor):
        value = distribute_tensor(value.to(target.device), target.device_mesh, target.placements, src_data_rank=None)
    target.copy_(value)
