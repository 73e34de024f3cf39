"""The modules of a BiCodec checkpoint together, and where its files are on disk.

Both disk layouts are read:

    Spark-TTS  config.yaml  BiCodec/{config.yaml, model.safetensors}  wav2vec2-large-xlsr-53/
    GPA        BiCodec/{config.yaml, model.safetensors, wav2vec2-large-xlsr-53/}
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from curation.core.errors import DataError
from curation.tokenize.files import read_config, read_tensors, require
from curation.tokenize.official.bicodec.backbone import FeatureDecoder, FeatureEncoder
from curation.tokenize.official.bicodec.generator import WaveGenerator
from curation.tokenize.official.bicodec.quantizers import FactorizedQuantizer
from curation.tokenize.official.bicodec.speaker import SpeakerEncoder
from curation.tokenize.official.checkpoints import fold_weight_norm, load_strict

WAV2VEC2 = "wav2vec2-large-xlsr-53"
MEL_BUFFERS = ("mel_transformer.spectrogram.window", "mel_transformer.mel_scale.fb")
"""The only keys that a checkpoint may lack: they follow from the configuration."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a checkpoint are; `settings` is the file that holds ref_segment_duration."""

    model: Path
    config: Path
    settings: Path
    wav2vec2: Path


def find_layout(folder: Path) -> Layout:
    """Find the parts in either disk layout; `folder` may also be the BiCodec folder itself. Raises DataError."""
    model = folder / "BiCodec" if (folder / "BiCodec").is_dir() else folder
    config = model / "config.yaml"
    own_settings = "ref_segment_duration" in read_config(config)
    settings = config if own_settings else model.parent / "config.yaml"
    places = [model / WAV2VEC2, model.parent / WAV2VEC2]
    wav2vec2 = next((place for place in places if place.is_dir()), None)
    if wav2vec2 is None:
        msg = f"{folder}: no folder {WAV2VEC2}: looked for {places[0]} and {places[1]}"
        raise DataError(msg)
    return Layout(model, config, settings, wav2vec2)


class BiCodec(nn.Module):
    """All parts, under the names of the checkpoint, from the section `audio_tokenizer` of its configuration."""

    def __init__(self, config: dict[str, Any], source: Path) -> None:
        super().__init__()
        with torch.device("meta"):
            self.encoder = _build(FeatureEncoder, config, "encoder", source)
            self.decoder = _build(WaveGenerator, config, "decoder", source)
            quantizer = require(config, "quantizer", source)
            sizes = [require(quantizer, field, source) for field in ("input_dim", "codebook_size", "codebook_dim")]
            self.quantizer = FactorizedQuantizer(*sizes)
            self.speaker_encoder = _build(SpeakerEncoder, config, "speaker_encoder", source)
            self.prenet = _build(FeatureDecoder, config, "prenet", source)
            if "postnet" in config:  # of training only
                self.postnet = _build(FeatureDecoder, config, "postnet", source)
        self.mel_transformer = _mel_transform(require(config, "mel_params", source), source)

    def load(self, path: Path) -> None:
        """Load strictly, drop what neither tokens nor audio need, and fold the weight norm."""
        load_strict(self, read_tensors(path), path, optional=MEL_BUFFERS)
        self.speaker_encoder.speaker_encoder.drop_unused()
        if hasattr(self, "postnet"):
            del self.postnet
        fold_weight_norm(self)


def _build(part: type[nn.Module], config: dict[str, Any], field: str, source: Path) -> Any:
    try:
        return part(**require(config, field, source))
    except (TypeError, ValueError) as error:
        msg = f"{source}: audio_tokenizer.{field}: {error}"
        raise DataError(msg) from error


def _mel_transform(params: dict[str, Any], source: Path) -> nn.Module:
    """Build the linear magnitude mel (power 1, no log, slaney norm and scale, reflect padding)."""
    from curation.models.torch_compat import import_torchaudio

    import_torchaudio()
    from torchaudio.transforms import MelSpectrogram

    transform: nn.Module = MelSpectrogram(
        *(require(params, field, source) for field in ("sample_rate", "n_fft", "win_length", "hop_length")),
        f_min=params.get("mel_fmin", 0.0),
        f_max=params.get("mel_fmax"),
        n_mels=require(params, "num_mels", source),
        power=1.0,
        norm="slaney",
        mel_scale="slaney",
    )
    return transform
