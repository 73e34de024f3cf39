"""Several processes: the rank of this one, distribution of the model, sums over all.

Under `torchrun` (or Ray Train) the environment names the process; alone there is nothing to do.
"""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import distributed, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from curation.core.errors import ConfigError
from curation.train.device import CPU

Kind = Literal["ddp", "fsdp2"]


@dataclass(frozen=True)
class World:
    """One process, this one, among `size` of them."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU
    host: distributed.ProcessGroup | None = None
    """The group in which values of the host are exchanged, without the GPU; None: the one of all."""

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum of a tensor over all processes, where it lies. Of the host's no GPU hears."""
        if self.size > 1:
            distributed.all_reduce(values, group=self.host if values.device == CPU else None)
        return values

    def gather(self, value: Any) -> list[Any]:
        """The value of each process, in order of rank, on every process."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value, group=self.host)
        return values

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier(group=self.host)


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that `torchrun` or Ray Train started; leaves the group that it made itself.

    No model that was distributed may live behind it. DDP's C++ part holds the group too. Where that is the last to do
    so, the group ends with Python's lock held, and waits for ever for a thread of its own that needs the lock to free
    a tensor (https://github.com/pytorch/pytorch/issues/56297).
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    place = _device(device)
    ours = size > 1 and not distributed.is_initialized()
    if ours:
        distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    host = distributed.new_group(backend="gloo") if size > 1 and place.type == "cuda" else None
    try:
        yield World(rank, size, place, host)
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # they hold the model
        raise
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


def distribute(module: nn.Module, layers: nn.ModuleList, kind: Kind, world: World, *, half: bool = False) -> nn.Module:
    """Distribute a model over the processes: copies (DDP), or shards of each layer (FSDP2).

    With `half` FSDP2 gathers weights in bfloat16, and all layers compute in it, the sums between them included;
    gradients are summed in float32, and the shards that the optimizer changes stay in float32.
    """
    if world.size == 1:
        return module
    if kind == "ddp":
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(module)
    from torch.distributed.device_mesh import init_device_mesh

    mesh = init_device_mesh(world.device.type, (world.size,))
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if half else None,
        reduce_dtype=torch.float32 if half else None,
        cast_forward_inputs=False,  # ids go in, all else follows from the weights
    )
    for part in (*layers, module):
        fully_shard(part, mesh=mesh, mp_policy=policy)
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


def local(tensor: torch.Tensor) -> torch.Tensor:
    """The part of a tensor that this process has."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
