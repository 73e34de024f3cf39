"""The stages of the label pass, in order, as the configuration asks for them."""

from curation.pipeline.config import BuildConfig
from curation.stages.base import Stage
from curation.stages.boundary import Boundary
from curation.stages.consensus.stage import Consensus
from curation.stages.denoise.stage import Denoise
from curation.stages.diarize.stage import Diarize
from curation.stages.loudness import Loudness
from curation.stages.punctuate.stage import Punctuate
from curation.stages.transcribe.stage import Transcribe


def build_stages(config: BuildConfig) -> list[Stage]:
    """One object for each stage that is switched on; models are loaded by their `setup`, not here."""
    stages: list[Stage] = [Loudness(config.loudness)]
    if config.denoise is not None:
        stages.append(Denoise(config.denoise))
    stages.append(Diarize(config.diarize))
    if config.boundary is not None:
        stages.append(Boundary(config.boundary))
    stages += [Transcribe(config.transcribe), Consensus(config.consensus)]
    if config.punctuate is not None:
        stages.append(Punctuate(config.punctuate))
    return stages
