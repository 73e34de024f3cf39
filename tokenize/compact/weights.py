"""Files of the compact tokenizers: safetensors, pinned by SHA-256 where they are the shipped ones."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save_file

from curation.core.errors import DataError

SHIPPED = Path(__file__).parent / "data"
PINNED = {
    "compact_content.safetensors": "4b37b37a6657f188d68fb63edc3a3d672bba5e9f2af267b39de6a804e35994d4",
    "compact_codec.safetensors": "b2cc6d4fb8acfca3f2ac3dfbf62f4f915d0cb3fca5e500c52a471f1f69bdee45",
}


def load_weights(folder: Path | None, file: str) -> dict[str, npt.NDArray[np.generic]]:
    """Tensors of `file` in `folder`, or of the shipped one (None), which must have its pinned hash.

    Raises DataError where the file is missing or is not the pinned one.
    """
    path = (folder or SHIPPED) / file
    if not path.is_file():
        msg = f"{path} does not exist: fit a tokenizer with `curation tokenizer fit`, or use the shipped one"
        raise DataError(msg)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if folder is None and digest != PINNED[file]:
        msg = f"{path} has SHA-256 {digest}, pinned is {PINNED[file]}: install the package again"
        raise DataError(msg)
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
    """Write `folder`/`file` and give its hex SHA-256; the same tensors give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}, folder / file)
    return hashlib.sha256((folder / file).read_bytes()).hexdigest()
