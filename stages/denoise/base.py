"""What a denoiser is to the pipeline."""

from typing import Protocol

from curation.audio.wave import Wave


class Denoiser(Protocol):
    """One speech enhancement system. The result for a wave depends on that wave alone."""

    def load(self) -> None:
        """Load the model. Called once in each worker process. Raises ModelError where files are missing."""

    def denoise(self, wave: Wave) -> Wave:
        """(samples,) float32 at 16 kHz -> the same shape, sample-aligned with the input (no delay)."""
