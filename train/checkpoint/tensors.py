"""The tensors of a checkpoint in safetensors files, each process with its own part of them.

Where a model is spread over processes (FSDP2), each writes the rows that it has, through torch.distributed.checkpoint
and in its safetensors form (its usual form has a pickle); what other programs read is then put together in one plain
file. Whatever the files were written by, a process reads only the rows that it needs, so that any number of processes
may go on.
"""

import math
import shutil
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystem
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor

from curation.core.errors import DataError, StorageError
from curation.train.distributed import World

Tensors = dict[str, torch.Tensor]
PARTS = "*.safetensors"
REMEDY = "restore the checkpoint from a copy, or remove its folder to go on from the one before"


class _Files(FileSystem):
    """Some files of a folder, which may have others."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [str(file) for file in files]

    def ls(self, path: object) -> list[str]:
        """These files, whatever the folder is."""
        del path
        return self._files


def is_spread(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether each process has a part of them."""
    return any(isinstance(tensor, DTensor) for tensor in tensors.values())


def write(file: Path, tensors: Mapping[str, torch.Tensor], world: World) -> None:
    """One plain file, as other programs read it. All processes take part. Raises StorageError."""
    if not is_spread(tensors):
        if world.first:
            _save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, file)
        return
    parts = file.with_suffix(".parts")
    write_parts(parts, tensors, world)
    if world.first:
        with ExitStack() as stack:
            opened = [stack.enter_context(safe_open(part, "pt")) for part in sorted(parts.glob(PARTS))]
            rows = {name: [one.get_tensor(name) for one in opened if name in one.keys()] for name in tensors}  # noqa: SIM118
            _save({name: torch.cat(own) for name, own in rows.items()}, file)
        shutil.rmtree(parts)


def _save(tensors: Tensors, file: Path) -> None:
    try:
        save_file(tensors, file, metadata={"format": "pt"})
    except SafetensorError as error:
        raise _unwritten(file, str(error)) from error


def write_parts(folder: Path, tensors: Mapping[str, torch.Tensor], world: World) -> None:
    """A file of each process, with the rows that it has. Raises StorageError in all where one could not write."""
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    try:
        save(dict(tensors), storage_writer=writer, process_group=world.host)
    except CheckpointException as error:
        raise _unwritten(folder, _reason(error)) from error


def _unwritten(place: Path, reason: str) -> StorageError:
    return StorageError(f"{place}: the checkpoint cannot be written ({reason}): make room, then run it again")


def shapes(files: Sequence[Path]) -> Tensors:
    """The tensors in files, without their values. Raises DataError where one cannot be read, or a part is missing."""
    found = {}
    for name, about in _about(files).items():
        if sum(math.prod(chunk.sizes) for chunk in about.chunks) != math.prod(about.size):
            msg = f"{files[0].parent}: {name} is not whole, of {len(files)} files: {REMEDY}"
            raise DataError(msg)
        found[name] = torch.empty(about.size, device="meta")
    return found


def read(files: Sequence[Path], tensors: Mapping[str, torch.Tensor], world: World) -> None:
    """Fill tensors, which may be spread over processes, with those of the files: of the same names and shapes.

    All processes take part. Raises DataError where values cannot be read.
    """
    try:
        with warnings.catch_warnings():  # of a process alone
            warnings.simplefilter("ignore")
            load(
                {name: tensor.detach() for name, tensor in tensors.items()},
                storage_reader=_reader(files),
                process_group=world.host,
                no_dist=world.size == 1,
            )
    except CheckpointException as error:
        msg = f"{files[0]} cannot be read ({_reason(error)}): {REMEDY}"
        raise DataError(msg) from error


def _about(files: Sequence[Path]) -> dict[str, TensorStorageMetadata]:
    for file in files:
        try:
            with safe_open(file, "pt"):
                pass
        except (OSError, SafetensorError) as error:
            msg = f"{file}: cannot be read as safetensors ({error}): {REMEDY}"
            raise DataError(msg) from error
    try:
        found = _reader(files).read_metadata().state_dict_metadata
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{files[0].parent}: what the files say of their parts is damaged ({error!r}): {REMEDY}"
        raise DataError(msg) from error
    return {name: about for name, about in found.items() if isinstance(about, TensorStorageMetadata)}


def _reader(files: Sequence[Path]) -> HuggingFaceStorageReader:
    reader = HuggingFaceStorageReader(str(files[0].parent))
    reader.fs = _Files(files)
    return reader


def _reason(error: CheckpointException) -> str:
    rank, (cause, _) = next(iter(error.failures.items()))
    return f"process {rank}: {cause}"
