"""The diarizers, by kind: those of this folder, and the entry points `curation.diarizers` of installed packages."""

from curation.core.plugins import Registry
from curation.stages.diarize.base import Diarizer

DIARIZERS: Registry[Diarizer] = Registry(Diarizer, "curation.diarizers", ["curation.stages.diarize"], what="diarizer")
