"""Files of the compact tokenizers: safetensors, pinned by SHA-256 where they are the shipped ones."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save_file

SHIPPED = Path(__file__).parent / "data"
PINNED = {
    "compact_content.safetensors": "49bc3ca0e93c8f6ad77425a8437c7ed4318a719b72055b243d5743342240f3c4",
    "compact_codec.safetensors": "171eb3bd1a5e6ac6bdb755bfcd35765d3b3d6a10c9ba3577af76e27f4ce5111b",
}


def load_weights(folder: Path | None, file: str) -> dict[str, npt.NDArray[np.generic]]:
    """Tensors of `file` in `folder`, or of the shipped one (None), which must have its pinned hash.

    Raises ValueError where the file is missing or is not what was pinned.
    """
    path = (folder or SHIPPED) / file
    if not path.is_file():
        msg = f"{path} does not exist: fit a tokenizer with `curation tokenizer fit`, or use the shipped one"
        raise ValueError(msg)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if folder is None and digest != PINNED[file]:
        msg = f"{path} has SHA-256 {digest}, pinned is {PINNED[file]}: install the package again"
        raise ValueError(msg)
    return dict(load(content))


def fingerprint(kind: str, settings: dict[str, object], tensors: dict[str, npt.NDArray[np.generic]]) -> str:
    """Hex SHA-256 over the kind of tokenizer, its settings and every weight (name, type, shape, bytes)."""
    digest = hashlib.sha256(json.dumps([kind, settings], sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def save_weights(folder: Path, file: str, tensors: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """Write `folder`/`file` and give its hex SHA-256; the same tensors make the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}, folder / file)
    return hashlib.sha256((folder / file).read_bytes()).hexdigest()
