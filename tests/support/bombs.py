"""Pickles that do harm when they are loaded: each makes a folder. For tests of what must refuse them."""

import os
import pickle
from pathlib import Path

import torch

KINDS = ("torch", "torch legacy", "pickle")


class Bomb:
    """Loading this makes a folder."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def plant(path: Path, harm: Path, kind: str = "torch", **content) -> Path:
    """Write a checkpoint with `content` whose loading makes the folder `harm`."""
    if kind == "pickle":
        path.write_bytes(pickle.dumps({**content, "bomb": Bomb(harm)}))
    else:
        new = kind == "torch"
        torch.save({**content, "bomb": Bomb(harm)}, path, _use_new_zipfile_serialization=new)
    return path
