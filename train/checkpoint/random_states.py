"""The states of the random generators, as a checkpoint keeps them: torch's as tensors, others as plain values."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

Word = Annotated[int, Field(ge=0, lt=2**32)]
"""Of the state of a random generator."""


@dataclass(frozen=True, slots=True)
class RandomState:
    """Of NumPy (words, position, what is left of a pair of normal deviates) and of Python."""

    numpy: tuple[
        Annotated[list[Word], Field(min_length=624, max_length=624)], Annotated[int, Field(ge=0, le=624)], int, float
    ]
    python: tuple[int, list[Word], float | None]


def torch_states() -> dict[str, torch.Tensor]:
    """Of torch, by kind of device."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def plain_states() -> dict[str, Any]:
    """Of NumPy and Python, with the fields of `RandomState`."""
    _, numbers, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the global state is what is saved
    version, mine, gauss = random.getstate()
    return {"numpy": [np.asarray(numbers).tolist(), *rest], "python": [version, list(mine), gauss]}


def restore(tensors: Mapping[str, torch.Tensor], plain: RandomState, rank: int) -> None:
    """Put all back; `tensors` are named kind/rank. Damaged ones raise ValueError, TypeError or RuntimeError."""
    numbers, position, has_gauss, gauss = plain.numpy
    version, mine, normal = plain.python
    if f"cpu/{rank}" in tensors:  # processes beyond those of the saved run keep their own
        torch.set_rng_state(tensors[f"cpu/{rank}"])
    if torch.cuda.is_available() and f"cuda/{rank}" in tensors:
        torch.cuda.set_rng_state(tensors[f"cuda/{rank}"])
    np.random.set_state(("MT19937", np.array(numbers, np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    random.setstate((version, tuple(mine), normal))
