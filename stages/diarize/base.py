"""The interface of diarizers: who speaks when.

To add one: a file in this folder (or a folder with `adapter.py`) with a class that sets `kind` (and `section` where it
has settings), and an entry of the catalogue for its weights. A package of your own has an entry point in the group
`curation.diarizers`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.audio.wave import Wave
from curation.core.declarations import Adapter
from curation.stages.diarize.turns import Turn


@dataclass(frozen=True, slots=True)
class Heard:
    """What a diarizer heard in a wave."""

    turns: list[Turn]
    overlap: npt.NDArray[np.float32] | None = None
    """Probability that two or more speak, in frames of 10 ms; None: the diarizer has none."""
    speech: npt.NDArray[np.float32] | None = None
    """Probability that somebody speaks, in the same frames."""


class Diarizer(Adapter, ABC):
    """One speaker diarization system. The result for a wave depends on that wave only."""

    def load(self) -> None:
        """Load the model. Called once in each worker process. Raises ModelError where files are missing."""

    @abstractmethod
    def diarize(self, wave: Wave) -> list[Turn]:
        """Turns in (samples,) float32 at 16 kHz, in any order, in samples of `wave`, with any speaker labels; turns of
        different speakers may overlap.
        """

    def hear(self, wave: Wave) -> Heard:
        """The turns, and the probability of overlapped speech where the system has one. The stage calls this."""
        return Heard(self.diarize(wave))
