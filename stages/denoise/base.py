"""The interface of denoisers.

To add one: a file in this folder with a class that sets `kind` (and `section` where it has settings), and an entry of
the catalogue for its weights. A package of your own has an entry point in the group `curation.denoisers`.
"""

from abc import ABC, abstractmethod

from curation.audio.wave import Wave
from curation.core.declarations import Adapter


class Denoiser(Adapter, ABC):
    """One speech enhancement system. The result for a wave depends on that wave only."""

    def load(self) -> None:
        """Load the model. Called once in each worker process. Raises ModelError where files are missing."""

    @abstractmethod
    def denoise(self, wave: Wave) -> Wave:
        """(samples,) float32 at 16 kHz -> the same shape, sample-aligned with the input (no delay)."""
