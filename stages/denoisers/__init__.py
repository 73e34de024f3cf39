"""The denoisers, by name. To add one: a file with a class, and a line here."""

from collections.abc import Callable

from curation.stages.denoisers.base import Denoiser
from curation.stages.denoisers.rnnoise import RNNoise

DENOISERS: dict[str, Callable[[], Denoiser]] = {"rnnoise": RNNoise}

__all__ = ["DENOISERS", "Denoiser"]
