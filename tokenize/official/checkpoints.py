"""Loading official checkpoints into modules: strictly and in float32.

A missing, extra or misshapen key is a DataError that names it. Modules are built on torch's `meta` device, so that
nothing is initialised that the file then replaces.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TypeVar

import torch
from torch import Tensor, nn

from curation.core.errors import DataError
from curation.tokenize.files import key_problems

Conv = TypeVar("Conv", nn.Conv1d, nn.ConvTranspose1d)


def load_strict(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: Path,
    optional: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> None:
    """Put `tensors` into `module` (built on any device, `meta` included) as float32, frozen, in evaluation mode.

    `optional` keys may be missing if the module holds values for them; `names` maps keys of the module to keys of
    the file where they differ. Raises DataError that names every key that is missing, extra or misshapen.
    """
    own = module.state_dict()
    names = {key: key for key in own} if names is None else names
    expected = {names[key]: value for key, value in own.items()}
    problems = key_problems(expected, tensors, optional)
    if problems:
        msg = f"{source}: not the checkpoint that its configuration describes: " + "; ".join(problems)
        raise DataError(msg)
    cast = {key: tensors[names[key]].to(value.dtype) for key, value in own.items() if names[key] in tensors}
    module.load_state_dict(cast, strict=False, assign=True)
    module.requires_grad_(requires_grad=False).eval()


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


class _Exactness:
    """torch's flags of the precision of float32. They belong to the whole process: the first block that needs exact
    products sets them and the last one to leave restores them, whichever threads these are in.
    """

    def __init__(self) -> None:
        self._lock, self._blocks = Lock(), 0
        self._before = "highest", False

    def enter(self) -> None:
        with self._lock:
            if not self._blocks:
                self._before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
                self._set("highest", convolutions=False)
            self._blocks += 1

    def leave(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                self._set(self._before[0], convolutions=self._before[1])

    def _set(self, products: str, *, convolutions: bool) -> None:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions


_EXACTNESS = _Exactness()


@contextmanager
def exact_float32() -> Iterator[None]:
    """Run without gradients, and without TF32 or bfloat16 in place of float32, whatever the caller has set.

    May be entered by several threads at once.
    """
    _EXACTNESS.enter()
    try:
        with torch.inference_mode():
            yield
    finally:
        _EXACTNESS.leave()
