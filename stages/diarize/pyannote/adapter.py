"""pyannote.audio: its segmentation model under our clustering of turns, or a complete pipeline of its own.

Source of the segmentation: Bredin & Laurent 2021 (arXiv 2104.04045), and Plaquet & Bredin 2023 (arXiv 2310.13025) for
the sets of speakers; code in pyannote/audio, version 4.0.7.
"""

import os
import warnings
from typing import TYPE_CHECKING, Any

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources
from curation.models.safe_load import Trust
from curation.models.store import resolve
from curation.models.torch_compat import import_torchaudio
from curation.stages.diarize.base import Diarizer, Heard
from curation.stages.diarize.config import PyannoteConfig
from curation.stages.diarize.turns import Turn

if TYPE_CHECKING:
    from curation.stages.diarize.pyannote.segmentation import Segmentation


def prepare_import() -> None:
    """Make pyannote.audio importable: torchaudio on CPU torch, and its telemetry off."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    import_torchaudio()
    with warnings.catch_warnings():
        # torchcodec would only be needed to read files; the models get waveforms.
        warnings.filterwarnings("ignore", message="(?s).*torchcodec is not installed correctly")
        import pyannote.audio  # noqa: F401


def trust_of(config: PyannoteConfig) -> Trust:
    """Which checkpoints the settings allow to be loaded."""
    return Trust(allow_pickle=config.allow_pickle, setting="diarize")


def load_segmentation(config: PyannoteConfig) -> "Segmentation":
    """The segmentation model of these settings. Raises ModelError where it is missing, gated, or not to be trusted."""
    prepare_import()
    from curation.stages.diarize.pyannote.pretrained import load_model
    from curation.stages.diarize.pyannote.segmentation import Segmentation

    weights = resolve(config.segmentation)
    model = load_model(weights / "pytorch_model.bin" if weights.is_dir() else weights, trust_of(config))
    return Segmentation(model.to(config.device), config.segmentation_step_seconds)


class PyannoteDiarizer(Diarizer):
    """Loads either a complete pipeline folder, or the segmentation model and the speaker encoder."""

    kind = "pyannote"
    section = PyannoteConfig
    resources = Resources(memory_gib=0.25)
    """Beside the speaker encoder, which the stage has loaded."""

    @classmethod
    def model_names(cls, section: Any) -> list[str]:
        """The complete pipeline, or the two models."""
        return [section.pipeline] if section.pipeline else [section.segmentation, section.embedding]

    def __init__(self, config: PyannoteConfig) -> None:
        self.config = config
        self.pipeline: Any = None

    def load(self) -> None:
        """Load the models. Raises ModelError where one is missing, gated, or not to be trusted."""
        prepare_import()
        from curation.stages.diarize.campplus.encoder import load_encoder
        from curation.stages.diarize.pyannote.pretrained import load_pipeline
        from curation.stages.diarize.pyannote.whole_turns import WholeTurns

        config = self.config
        if config.pipeline:
            self.pipeline = load_pipeline(config.pipeline, trust_of(config), config.sha256, config.device)
        else:
            self.whole_turns = WholeTurns(load_segmentation(config), load_encoder(config.embedding), config)

    def diarize(self, wave: Wave) -> list[Turn]:
        """Turns (start, end in samples of `wave`, speaker)."""
        return self.hear(wave).turns

    def hear(self, wave: Wave) -> Heard:
        """The turns; a complete pipeline has no probability of overlapped speech."""
        if len(wave) == 0:
            return Heard([])
        return self.whole_turns.hear(wave) if self.pipeline is None else Heard(self._by_pipeline(wave))

    def _by_pipeline(self, wave: Wave) -> list[Turn]:
        import torch

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
