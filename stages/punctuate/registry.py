"""The forced aligners, by kind: those of this folder, and the entry points `curation.aligners` of packages."""

from curation.core.plugins import Registry
from curation.stages.punctuate.base import Aligner

ALIGNERS: Registry[Aligner] = Registry(Aligner, "curation.aligners", ["curation.stages.punctuate"], what="aligner")
