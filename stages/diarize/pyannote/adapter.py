"""pyannote.audio's SpeakerDiarization pipeline on local weights.

Segmentation of 5 s windows into at most three local speakers, one embedding for each of them, agglomerative
clustering over the recording. Source: Bredin 2023, "pyannote.audio 2.1 speaker diarization pipeline"; code in
pyannote/audio/pipelines/speaker_diarization.py, version 4.0.7.
"""

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources
from curation.models.safe_load import Trust
from curation.models.store import resolve
from curation.models.torch_compat import import_torchaudio
from curation.stages.diarize.base import Diarizer
from curation.stages.diarize.config import PyannoteConfig
from curation.stages.diarize.turns import Turn

if TYPE_CHECKING:
    from curation.stages.diarize.pyannote.speaker_encoder import GE2E

SEGMENTATION_BATCH = 32
EMBEDDING_BATCH = 32


def prepare_import() -> None:
    """Make pyannote.audio importable: torchaudio on CPU torch, and its telemetry off."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    import_torchaudio()
    with warnings.catch_warnings():
        # torchcodec would only be needed to read files; the pipeline gets waveforms.
        warnings.filterwarnings("ignore", message="(?s).*torchcodec is not installed correctly")
        import pyannote.audio  # noqa: F401


@cache
def load_encoder(reference: str) -> "GE2E":
    """The speaker encoder of a reference, loaded once in a process: the stage embeds utterances with the same encoder
    as the pipeline. Raises ModelError.
    """
    prepare_import()
    from curation.stages.diarize.pyannote.speaker_encoder import GE2E

    path = resolve(reference)
    return GE2E.load(path / "pretrained.pt" if path.is_dir() else path)


class PyannoteDiarizer(Diarizer):
    """Loads either a complete pipeline folder or the offline pair of models."""

    kind = "pyannote"
    section = PyannoteConfig
    resources = Resources(memory_gib=0.25)
    """Beside the speaker encoder, which the stage has loaded."""

    @classmethod
    def model_names(cls, section: Any) -> list[str]:
        """The complete pipeline, or the two models that one is built from."""
        return [section.pipeline] if section.pipeline else [section.segmentation, section.embedding]

    def __init__(self, config: PyannoteConfig) -> None:
        self.config = config
        self.pipeline: Any = None

    def load(self) -> None:
        """Load the pipeline. Raises ModelError where it is missing, gated, or not to be trusted."""
        prepare_import()
        from curation.stages.diarize.pyannote.pretrained import load_pipeline

        config = self.config
        if config.pipeline:
            self.pipeline = load_pipeline(config.pipeline, trust(config), config.sha256, config.device)
        else:
            self.pipeline = build(config, load_encoder(config.embedding))

    def diarize(self, wave: Wave) -> list[Turn]:
        """Turns (start, end in samples of `wave`, speaker)."""
        import torch

        if len(wave) == 0:
            return []
        file = {"waveform": torch.from_numpy(wave)[None], "sample_rate": SAMPLE_RATE, "uri": "recording"}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Mean of empty slice|invalid value encountered")
            output = self.pipeline(file)
        annotation = getattr(output, "speaker_diarization", output)
        return [
            Turn(to_samples(turn.start, len(wave)), to_samples(turn.end, len(wave)), str(label))
            for turn, _, label in annotation.itertracks(yield_label=True)
        ]


def to_samples(seconds: float, limit: int) -> int:
    """Nearest multiple of 10 ms, in samples, within 0..limit."""
    return min(max(round(seconds * 100), 0) * (SAMPLE_RATE // 100), limit)


def build(config: PyannoteConfig, embedding: Any) -> Any:
    """The pipeline on the catalogue's segmentation weights and the given embedding model."""
    import torch
    from pyannote.audio.pipelines import SpeakerDiarization

    from curation.stages.diarize.pyannote.pretrained import load_model, unused_plda

    weights = resolve(config.segmentation)
    segmentation = load_model(weights / "pytorch_model.bin" if weights.is_dir() else weights, trust(config))
    pipeline = SpeakerDiarization(
        segmentation=segmentation,
        segmentation_step=config.segmentation_step_seconds / segmentation.specifications.duration,
        embedding=embedding,
        embedding_exclude_overlap=True,
        plda=unused_plda(),
        clustering="AgglomerativeClustering",
        segmentation_batch_size=SEGMENTATION_BATCH,
        embedding_batch_size=EMBEDDING_BATCH,
    )
    pipeline.instantiate(parameters(config, powerset=segmentation.specifications.powerset))
    return pipeline.to(torch.device(config.device))


def trust(config: PyannoteConfig) -> Trust:
    """The user's trust in checkpoints that are not pinned individually."""
    return Trust(allow_pickle=config.allow_pickle, setting="diarize")


def parameters(config: PyannoteConfig, *, powerset: bool) -> dict[str, Any]:
    """Hyper-parameters in the pipeline's own layout; a powerset model has no segmentation threshold."""
    segmentation: dict[str, float] = {"min_duration_off": config.min_duration_off}
    if not powerset:
        segmentation["threshold"] = config.segmentation_threshold
    clustering = {
        "method": config.clustering_method,
        "min_cluster_size": config.min_cluster_size,
        "threshold": config.clustering_threshold,
    }
    return {"segmentation": segmentation, "clustering": clustering}
