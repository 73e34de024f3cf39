"""Reading the files of checkpoints, ours and official ones: configurations and tensors, without running code from them.

Missing, damaged or unexpected content is a DataError that names the file.
"""

import json
import pickle
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from curation.core.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

NAMED_KEYS = 8
"""How many keys of a kind an error names before it only counts them."""


def read_config(path: Path) -> dict[str, Any]:
    """Read a JSON or YAML mapping. Raises DataError where the file is missing or holds something else."""
    if not path.is_file():
        msg = f"{path}: file not found; the folder must have the layout of the official release"
        raise DataError(msg)
    try:
        text = path.read_text(encoding="utf-8")
        config = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        msg = f"{path}: not valid {path.suffix.lstrip('.').upper()}: {error}"
        raise DataError(msg) from error
    if not isinstance(config, dict):
        msg = f"{path}: expected a mapping at the top level"
        raise DataError(msg)
    return config


def require(config: Mapping[str, Any], field: str, source: Path) -> Any:
    """Take `config[field]`; the DataError says which file lacks it."""
    if field not in config:
        msg = f"{source}: field {field!r} is missing"
        raise DataError(msg)
    return config[field]


def find_weights(folder: Path) -> Path:
    """Find `model.safetensors` or `pytorch_model.bin`, in this order. Raises DataError if there is neither."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    msg = f"{folder}: no weights: expected model.safetensors or pytorch_model.bin there"
    raise DataError(msg)


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Read all tensors of a .safetensors or torch file to the CPU; torch files with `weights_only=True`."""
    import torch

    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        msg = f"{path}: it holds more than tensors and could run code when loaded; get it as model.safetensors"
        raise DataError(msg) from error
    if not isinstance(loaded, Mapping) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        msg = f"{path}: expected a mapping of names to tensors"
        raise DataError(msg)
    return dict(loaded)


def read_model_tensors(folder: Path) -> "dict[str, Tensor]":
    """Read the tensors of `model.safetensors`, or of the parts that `model.safetensors.index.json` lists."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file():
        return _read_safetensors(whole)
    if not index.is_file():
        msg = f"{folder}: no weights: expected {whole.name} or {index.name}"
        raise DataError(msg)
    files = require(read_config(index), "weight_map", index)
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(files.values())):
        tensors |= _read_safetensors(folder / Path(name).name)
    return tensors


def _read_safetensors(path: Path) -> "dict[str, Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        msg = f"{path}: cannot be read as safetensors ({error}): copy or download it again"
        raise DataError(msg) from error


def key_problems(
    expected: "Mapping[str, Tensor]", given: "Mapping[str, Tensor]", optional: Collection[str]
) -> list[str]:
    """The mismatches between the tensors of a file and those of a model; empty where there are none."""
    missing = [f"{key} {tuple(expected[key].shape)}" for key in expected if key not in given and key not in optional]
    extra = [f"{key} {tuple(given[key].shape)}" for key in given if key not in expected]
    shapes = [
        f"{key} {tuple(given[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in given and given[key].shape != expected[key].shape
    ]
    kinds = (("missing", missing), ("extra", extra), ("wrong shape", shapes))
    return [f"{kind}: {_named(keys)}" for kind, keys in kinds if keys]


def _named(keys: Sequence[str]) -> str:
    rest = len(keys) - NAMED_KEYS
    return ", ".join(keys[:NAMED_KEYS]) + (f" and {rest} more" if rest > 0 else "")
