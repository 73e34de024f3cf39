"""The denoisers, by kind: the files of this folder, and the entry points `curation.denoisers` of installed packages."""

from curation.core.plugins import Registry
from curation.stages.denoise.base import Denoiser

DENOISERS: Registry[Denoiser] = Registry(Denoiser, "curation.denoisers", ["curation.stages.denoise"], what="denoiser")
