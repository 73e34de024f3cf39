"""The denoisers, by name. To add one: a file with a class, and a line here."""

from collections.abc import Callable

from curation.stages.denoise.base import Denoiser
from curation.stages.denoise.deepfilternet import DeepFilterNet
from curation.stages.denoise.rnnoise import RNNoise
from curation.stages.denoise.spectral import Spectral

DENOISERS: dict[str, Callable[[], Denoiser]] = {
    "rnnoise": RNNoise,
    "deepfilternet3": DeepFilterNet,
    "spectral": Spectral,
}

__all__ = ["DENOISERS", "Denoiser"]
