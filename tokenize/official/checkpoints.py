"""Reading official checkpoints from disk: strictly, in float32, and without running code from them.

A missing, extra or misshapen key is a ValueError that names it. Modules are built on torch's `meta` device, so that
nothing is initialised that the file then replaces.
"""

import hashlib
import json
import pickle
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from torch import Tensor, nn

Conv = TypeVar("Conv", nn.Conv1d, nn.ConvTranspose1d)

NAMED_KEYS = 8
"""How many keys of a kind an error names before it only counts them."""


def find_weights(folder: Path) -> Path:
    """Find `model.safetensors` or `pytorch_model.bin`, in this order. Raises ValueError if there is neither."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    msg = f"{folder}: no weights: expected model.safetensors or pytorch_model.bin there"
    raise ValueError(msg)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a .safetensors or torch file to the CPU; torch files with `weights_only=True`."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        msg = f"{path}: it holds more than tensors and could run code when loaded; get it as model.safetensors"
        raise ValueError(msg) from error
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        msg = f"{path}: expected a mapping of names to tensors"
        raise ValueError(msg)
    return dict(loaded)


def read_config(path: Path) -> dict[str, Any]:
    """Read a JSON or YAML mapping. Raises ValueError when the file is missing or holds something else."""
    if not path.is_file():
        msg = f"{path}: file not found; the folder must have the layout of the official release"
        raise ValueError(msg)
    text = path.read_text(encoding="utf-8")
    config = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    if not isinstance(config, dict):
        msg = f"{path}: expected a mapping at the top level"
        raise ValueError(msg)  # noqa: TRY004 - wrong content of a file, like every other error here
    return config


def require(config: Mapping[str, Any], field: str, source: Path) -> Any:
    """Take `config[field]`, with an error that says which file lacks it."""
    if field not in config:
        msg = f"{source}: field {field!r} is missing"
        raise ValueError(msg)
    return config[field]


def load_strict(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: Path,
    optional: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> None:
    """Put `tensors` into `module` (built on any device, `meta` included) as float32, frozen, in evaluation mode.

    `optional` keys may be missing if the module holds values for them; `names` maps keys of the module to keys of
    the file where they differ. Raises ValueError that names every key that is missing, extra or misshapen.
    """
    own = module.state_dict()
    names = {key: key for key in own} if names is None else names
    expected = {names[key]: value for key, value in own.items()}
    problems = key_problems(expected, tensors, optional)
    if problems:
        msg = f"{source}: not the checkpoint that its configuration describes: " + "; ".join(problems)
        raise ValueError(msg)
    cast = {key: tensors[names[key]].to(value.dtype) for key, value in own.items() if names[key] in tensors}
    module.load_state_dict(cast, strict=False, assign=True)
    module.requires_grad_(requires_grad=False).eval()


def key_problems(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], optional: Collection[str]) -> list[str]:
    """What keeps the tensors of a file from being those of a model; empty where nothing does."""
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


def weight_normed(conv: Conv) -> Conv:
    """Give `conv` the parameters `weight_g`, `weight_v` of old-style weight norm (dim 0) in place of `weight`."""
    weight = conv.weight
    del conv.weight
    conv.weight_g = nn.Parameter(weight.new_empty(weight.shape[0], 1, 1))
    conv.weight_v = nn.Parameter(torch.empty_like(weight))
    return conv


def fold_weight_norm(module: nn.Module) -> None:
    """Once loaded: weight = g · v / ‖v‖ in every weight-normed convolution, so that it is computed only once."""
    for child in module.modules():
        if isinstance(child, nn.Conv1d | nn.ConvTranspose1d) and "weight_g" in child._parameters:  # noqa: SLF001
            v, g = child.get_parameter("weight_v"), child.get_parameter("weight_g")
            weight = torch._weight_norm(v, g, 0)  # noqa: SLF001 - what torch's weight_norm itself calls
            del child.weight_v, child.weight_g
            child.weight = nn.Parameter(weight, requires_grad=False)


def fingerprint(kind: str, files: Sequence[Path]) -> str:
    """Give the SHA-256 over the kind of tokenizer and the contents of its configuration and weights files."""
    digest = hashlib.sha256(kind.encode())
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


@contextmanager
def exact_float32() -> Iterator[None]:
    """Run without gradients, and without TF32 or bfloat16 in place of float32, whatever the caller has set."""
    precision, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = convolutions
