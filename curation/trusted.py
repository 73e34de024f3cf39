"""Files that can run code when they are loaded: pickles, and what contains them (torch checkpoints, .nemo).

Loading a pickle runs whatever its author put into it. Such a file is loaded only when it is known to be the one that
was meant (pinned by SHA-256), or when the user has said in the configuration that it may be.
"""

import pickle
from pathlib import Path
from typing import Any

from curation.models import ModelError, sha256_of

WHY = "it is a pickle or contains one, and loading it can run any program that its author put into it"


def require_trusted(path: Path, *, sha256: str | None, allow_pickle: bool, what: str) -> None:
    """Raise ModelError unless the file may be loaded although it can run code.

    `sha256` is the pin, if there is one: the file must then have it, whatever `allow_pickle` says. `what` names the
    setting for the message, e.g. `transcribe.systems[0] (parakeet)`. A folder can be allowed, but not pinned.
    """
    if sha256 is not None:
        _require_pin(path, sha256, what)
    elif not allow_pickle:
        raise ModelError(_refusal(path, what))


def load_checkpoint(
    path: Path, *, sha256: str | None = None, allow_pickle: bool = False, what: str = "checkpoint"
) -> Any:
    """What `torch.load` gives for a file, on the CPU.

    Tensors, and containers of them, load from anywhere. A file that needs more is refused with a ModelError unless it
    is pinned or allowed, see `require_trusted`; so is any file that does not have the SHA-256 it is pinned to.
    """
    import torch

    if sha256 is not None:
        _require_pin(path, sha256, what)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        try:
            require_trusted(path, sha256=sha256, allow_pickle=allow_pickle, what=what)
        except ModelError as refused:
            raise refused from error
    return torch.load(path, map_location="cpu", weights_only=False)


def _refusal(path: Path, what: str) -> str:
    pin = f"pin it by its SHA-256 ({sha256_of(path)}), or " if path.is_file() else ""
    return (
        f"{what}: {path} was not loaded: {WHY}. If you know where it comes from, {pin}set allow_pickle: true; "
        f"otherwise get it as safetensors or ONNX"
    )


def _require_pin(path: Path, sha256: str, what: str) -> None:
    if not path.is_file():
        msg = f"{what}: {path} is pinned by SHA-256 but is not a file"
        raise ModelError(msg)
    digest = sha256_of(path)
    if digest != sha256.lower():
        msg = f"{what}: {path} has SHA-256 {digest}, pinned is {sha256}: it is not the file that was meant"
        raise ModelError(msg)
