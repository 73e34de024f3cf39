"""The denoisers, by name. To add one: a file with a class, and a line here."""

from collections.abc import Callable

from curation.stages.denoisers.base import Denoiser
from curation.stages.denoisers.deepfilternet import DeepFilterNet
from curation.stages.denoisers.rnnoise import RNNoise
from curation.stages.denoisers.spectral import Spectral

DENOISERS: dict[str, Callable[[], Denoiser]] = {
    "rnnoise": RNNoise,
    "deepfilternet3": DeepFilterNet,
    "spectral": Spectral,
}

__all__ = ["DENOISERS", "Denoiser"]
