"""Loads PyTorch checkpoints without running code that is embedded in them.

A `.bin`, `.pt`, `.ckpt` or `.nemo` file is a pickle, and a pickle can call anything while it is read. Such a file is
therefore read with `weights_only=True`: tensors, numbers, text, and the classes that the caller declares harmless.
Anything else is refused, unless the user has pinned the file by its SHA-256 or allowed pickles.

    state = load_checkpoint(path, Trust(sha256=config.sha256, allow_pickle=config.allow_pickle, setting="…"))
"""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from curation.core.errors import ModelError


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the user trusts a file. `setting` is the configuration section that says so, for messages."""

    sha256: str = ""
    allow_pickle: bool = False
    setting: str = ""


def load_checkpoint(path: Path, trust: Trust, classes: Sequence[Any] = (), device: str = "cpu") -> Any:
    """The content of a PyTorch checkpoint. `classes` may be rebuilt from it besides tensors and plain values.

    Raises ModelError where the file is not the pinned one, or needs a pickle that nobody has allowed.
    """
    import torch

    with path.open("rb") as file:
        pinned = check_pin(file, path, trust)
        try:
            with torch.serialization.safe_globals(list(classes)):
                return torch.load(file, map_location=device, weights_only=True)
        except pickle.UnpicklingError as error:
            if not (pinned or trust.allow_pickle):
                raise ModelError(_refusal(path, trust, error)) from None
        file.seek(0)
        return torch.load(file, map_location=device, weights_only=False)  # pinned, or allowed by the user


def check_pin(file: IO[bytes], path: Path, trust: Trust) -> bool:
    """Whether the open file is pinned; it is rewound. Raises ModelError where it is another one."""
    if not trust.sha256:
        return False
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file will do
    file.seek(0)
    if digest != trust.sha256.lower():
        msg = f"{path} has SHA-256 {digest}, {trust.setting}.sha256 pins {trust.sha256}: nothing was loaded"
        raise ModelError(msg)
    return True


def _refusal(path: Path, trust: Trust, error: Exception) -> str:
    wanted = str(error).partition("GLOBAL ")[2].partition(" ")[0].rstrip(".") or "something else"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return (
        f"{path} holds more than weights (it asks for {wanted}): it is a pickle that could run any code when it is "
        f"loaded, so it was not. If you trust its origin, set {trust.setting}.sha256 to {digest}, or "
        f"{trust.setting}.allow_pickle to true"
    )
