"""Input features of BiCodec: volume rule, reference clip, wav2vec2 (Spark-TTS, arXiv 2503.01710, section 3).

The volume rule works in float64 on the whole clip and precedes both branches.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import local

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import remove_parametrizations

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import DataError
from curation.tokenize.files import find_weights, read_config, read_tensors
from curation.tokenize.official.batching import pad_stack
from curation.tokenize.official.checkpoints import load_strict

Wave64 = npt.NDArray[np.float64]

HIDDEN_STATES = (11, 14, 16)
"""Averaged hidden states; state i is the output of layer i (1-based), before the encoder's final LayerNorm."""
PREFIX = "wav2vec2."
PRETRAINING = ("quantizer.", "project_q.", "project_hid.")


def normalize_volume(wave: Wave64, target: float = 0.2) -> Wave64:
    """Bring the loud part of a wave (samples,) to `target`.

    A peak under 0.1 is first brought to 0.1. The loud part is the 90th to 99th percentile of |x| > 0.01 of the wave
    as it came in, which is why the total gain can exceed the limit of 10. Peaks over 1 are scaled down.
    """
    sorted_magnitudes = np.sort(np.abs(wave))
    peak = sorted_magnitudes[-1]
    if peak < 0.1:
        wave = wave / max(peak, 1e-3) * 0.1
    audible = sorted_magnitudes[sorted_magnitudes > 0.01]
    if len(audible) <= 10:
        return wave
    volume = audible[int(0.9 * len(audible)) : int(0.99 * len(audible))].mean()
    wave = wave * np.clip(target / volume, 0.1, 10)
    peak = np.abs(wave).max()
    return wave / peak if peak > 1 else wave


def reference_clip(wave: Wave64, samples: int) -> npt.NDArray[np.float32]:
    """Take the first `samples` of a wave; a shorter one is repeated, not padded."""
    return np.resize(wave, samples).astype(np.float32)


class Wav2Vec2Features(nn.Module):
    """wav2vec2-large-xlsr-53 from its folder, cut after the last hidden state that is used.

    Accepts pytorch_model.bin and model.safetensors, keys with or without the prefix of a pre-training checkpoint. It is
    without weights until `load`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        from curation.models.torch_compat import import_torchaudio

        import_torchaudio()
        from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

        self.files = [folder / "config.json", folder / "preprocessor_config.json", find_weights(folder)]
        settings = read_config(self.files[0])
        config = Wav2Vec2Config(**settings)
        self.extractor = Wav2Vec2FeatureExtractor(**read_config(self.files[1]))
        self.kernels = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        self.alone = config.feat_extract_norm == "group"  # that norm sees the padding: no batches
        self._check(config.num_hidden_layers, self.files[0])
        with torch.device("meta"):
            self.model = Wav2Vec2Model(config)
        self._kept = local()  # hidden states: each thread sees those of its own call

    def load(self) -> None:
        """Load the weights. Raises DataError where a key is missing, extra or misshapen."""
        self._load(self.files[2])
        self.model.encoder.layers = self.model.encoder.layers[: max(HIDDEN_STATES)]
        for number in HIDDEN_STATES:
            self.model.encoder.layers[number - 1].register_forward_hook(self._keeper(number))

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of a clip: floor((samples - 400) / 320) + 1 with the official convolutions."""
        for kernel, stride in self.kernels:
            num_samples = (num_samples - kernel) // stride + 1
        return max(num_samples, 0)

    def min_samples(self, frames: int = 1) -> int:
        """Count the samples that `frames` frames need: 400 for one."""
        for kernel, stride in reversed(self.kernels):
            frames = (frames - 1) * stride + kernel
        return frames

    def forward(self, waves: Sequence[Wave64]) -> tuple[Tensor, Tensor]:
        """Compute features (batch, frames, dim) float32 of waves after the volume rule, and valid frames (batch,)."""
        device = self.model.feature_projection.projection.weight.device
        values = [self._normalized(wave) for wave in waves]
        lengths = torch.tensor([self.num_frames(len(wave)) for wave in waves], device=device)
        if self.alone and len(waves) > 1:
            singles = [self([wave])[0][0].T for wave in waves]
            return pad_stack(singles)[0].transpose(1, 2), lengths
        batch, samples = pad_stack(values)
        mask = torch.arange(batch.shape[1]) < samples[:, None]
        equal = bool(mask.all())
        self._kept.states = {}
        try:
            self.model(batch.to(device), attention_mask=None if equal else mask.long().to(device))
            states = [self._kept.states[number] for number in HIDDEN_STATES]
        finally:
            del self._kept.states
        return sum(states[1:], states[0]) / len(states), lengths

    def _normalized(self, wave: Wave64) -> Tensor:
        # Zero mean and unit variance at the clip's own length, in float32, as the library does it for one clip.
        values = self.extractor(wave.astype(np.float32), sampling_rate=SAMPLE_RATE, return_tensors="pt")
        single: Tensor = values.input_values[0]
        return single

    def _keeper(self, number: int) -> Callable[..., None]:
        def keep(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
            self._kept.states[number] = output if isinstance(output, Tensor) else output[0]

        return keep

    def _check(self, layers: int, source: Path) -> None:
        if self.extractor.sampling_rate != SAMPLE_RATE:
            msg = f"{source.parent}: sampling_rate is {self.extractor.sampling_rate}, expected {SAMPLE_RATE}"
            raise DataError(msg)
        if layers <= max(HIDDEN_STATES):
            msg = f"{source}: num_hidden_layers is {layers}; hidden states {HIDDEN_STATES} need more than {layers}"
            raise DataError(msg)

    def _load(self, path: Path) -> None:
        tensors = read_tensors(path)
        prefix = PREFIX if any(key.startswith(PREFIX) for key in tensors) else ""
        if prefix:
            tensors = {key: value for key, value in tensors.items() if not key.startswith(PRETRAINING)}
        if not hasattr(self.model, "masked_spec_embed"):  # only made where the configuration masks in training
            tensors.pop(f"{prefix}masked_spec_embed", None)
        names = {key: prefix + _file_key(key, tensors, prefix) for key in self.model.state_dict()}
        load_strict(self.model, tensors, path, names=names)
        remove_parametrizations(self.model.encoder.pos_conv_embed.conv, "weight")  # the weight norm, now a weight


def _file_key(key: str, tensors: Mapping[str, Tensor], prefix: str) -> str:
    """Name a key as the file does: weight norm is `weight_g`, `weight_v` in files of older releases of torch."""
    old = key.replace("parametrizations.weight.original0", "weight_g")
    old = old.replace("parametrizations.weight.original1", "weight_v")
    return key if prefix + key in tensors else old
