"""Stages and a file system that kill their process where the name of a recording tells them to: in pools of their own,
each part of the label pass dies by itself.

A recording is named `kill-PLACE`, with a place of `PLACES`; each but `decode` has a pool of that name.
"""

import ctypes
import os
import time
from collections.abc import Sequence
from pathlib import Path

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

from curation.core.declarations import Resources
from curation.manifests.records import Recording
from curation.pipeline.config import BuildConfig
from curation.stages.base import Stage
from curation.stages.loudness import Loudness
from tests.support.toy import Choir, Cut, Hear

PLACES = ("decode", "front", "mid", "high", "low", "back")
"""`mid`, `high` and `low` are branches; `back` puts together what they hear, and commits."""


def _kill(batch: Sequence[Recording], place: str) -> None:
    if any(f"kill-{place}" in recording.source.path for recording in batch):
        ctypes.string_at(0)


class LethalFileSystem(AbstractFileSystem):
    """Local files at `lethal://`; opening one named `kill-decode` ends the process, unless it is the driver's."""

    protocol = "lethal"
    root_marker = "/"
    local = LocalFileSystem()

    def info(self, path, **_):
        return self.local.info(self._strip_protocol(path))

    def ls(self, path, detail=True, **_):
        return self.local.ls(self._strip_protocol(path), detail)

    def _open(self, path, mode="rb", **_):
        if "kill-decode" in path and os.environ.get("LETHAL_DRIVER") != str(os.getpid()):
            ctypes.string_at(0)
        return self.local.open(path, mode)


fsspec.register_implementation("lethal", LethalFileSystem, clobber=True)


class Lethal(Stage):
    """Kills its process on its own recordings; it declares what it needs, which gives its part its name."""

    batched = True
    resources = Resources(cpus=0.2, gpus=0.0)

    def process(self, batch: Sequence[Recording]) -> None:
        _kill(batch, self.name)


class Front(Lethal):
    name = "front"


class Back(Lethal):
    name = "back"


class LethalChoir(Choir):
    def branch(self, name: str, batch: Sequence[Recording]) -> list[list[str]]:
        _kill(batch, name)
        return super().branch(name, batch)


def lethal_stages(config: BuildConfig) -> list[Stage]:
    return [Loudness(config.loudness), Cut(), Front(), LethalChoir(), Back(), Hear()]


class Hungry(Stage):
    """Takes memory the first time that it sees a recording named `hungry`, and notes how many come together."""

    name = "hungry"
    batched = True

    def process(self, batch: Sequence[Recording]) -> None:
        folder = Path(batch[0].source.path).parents[1]
        with (folder / "calls").open("a") as calls:
            calls.write(f"{len(batch)}\n")
        if any("hungry" in recording.source.path for recording in batch) and not (folder / "fed").exists():
            (folder / "fed").touch()
            hog = [np.ones(2**25) for _ in range(16)]  # 4 GiB
            time.sleep(120)
            del hog


def hungry_stages(config: BuildConfig) -> list[Stage]:
    return [Loudness(config.loudness), Cut(), Hungry(), Hear()]


class SlowBack(Back):
    """Lets work pile up before it."""

    def process(self, batch: Sequence[Recording]) -> None:
        time.sleep(1.0 if batch else 0.0)


def piling_stages(config: BuildConfig) -> list[Stage]:
    return [Loudness(config.loudness), Cut(), Front(), Choir(), SlowBack(), Hear()]
